package crawl

import (
	"container/heap"
	"time"
)

// hostQueue is what is to be fetched from one host, in the order of discovery.
type hostQueue struct {
	key     string
	robots  []*item     // fetches of robots.txt; they go before all else and pass the gate
	retries retryHeap   // items that wait for another try
	pages   packedQueue // those in memory
	stored  storedQueue // those on disk
	gates   int         // origins of this host whose robots.txt is not known yet: pages wait

	busy    int  // items handed out and not given back
	blocked bool // the host may start nothing before one of its items has started or ended
	parked  bool // the host is another worker's, or nobody's
	strikes int  // 429s, 503s and timeouts in a row

	standing // with its address, where addresses have a pace

	at    time.Time // when to ask it again; of use while it is in the heap
	paced bool      // that time is its pace's, not its items'
	turn  uint64    // among equal times, who has waited longest
	index int       // in the heap; -1 when it is not there
}

// idle says whether nothing keeps the queue from being forgotten.
func (q *hostQueue) idle() bool {
	return q.onlyPages() && q.pages.n == 0 && q.stored.live == 0
}

// onlyPages says whether nothing is in flight, and all that waits are pages that nobody has tried: another process could
// take over here.
func (q *hostQueue) onlyPages() bool {
	return q.busy == 0 && q.gates == 0 && len(q.robots) == 0 && len(q.retries) == 0
}

// push queues a robots.txt, or a page for another try.
func (q *hostQueue) push(it *item) {
	if it.robots != nil {
		q.robots = append(q.robots, it)
		return
	}
	heap.Push(&q.retries, it)
}

// starved says whether the next page is on disk.
func (q *hostQueue) starved() bool {
	return q.pages.n == 0 && q.stored.left > 0 && q.gates == 0 && len(q.robots) == 0
}

// due returns when the queue has something to hand out: a time that is not after now means at once, and false that
// something must happen first.
func (q *hostQueue) due(now time.Time) (time.Time, bool) {
	if len(q.robots) > 0 {
		return q.robots[0].notBefore, true
	}
	if q.gates > 0 {
		return time.Time{}, false
	}
	pages := q.pages.n + q.stored.left
	if len(q.retries) > 0 && (pages == 0 || !q.retries[0].notBefore.After(now)) {
		return q.retries[0].notBefore, true
	}
	return time.Time{}, pages > 0
}

// first returns what due spoke of.
func (q *hostQueue) first(now time.Time) (*item, error) {
	switch {
	case len(q.robots) > 0:
		return q.robots[0], nil
	case len(q.retries) > 0 && !q.retries[0].notBefore.After(now):
		return q.retries[0], nil
	}
	seq, packed := q.pages.head()
	it, err := unpackItem(packed)
	if err == nil {
		it.seq = seq
	}
	return it, err
}

// pop takes out what first returned.
func (q *hostQueue) pop(it *item) {
	switch {
	case len(q.robots) > 0:
		q.robots[0] = nil
		q.robots = q.robots[1:]
	case len(q.retries) > 0 && q.retries[0] == it:
		heap.Pop(&q.retries)
	default:
		q.pages.pop()
	}
}

// retryHeap orders items by the time before which they must not be tried again.
type retryHeap []*item

func (h retryHeap) Len() int           { return len(h) }
func (h retryHeap) Less(i, j int) bool { return h[i].notBefore.Before(h[j].notBefore) }
func (h retryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *retryHeap) Push(x any)        { *h = append(*h, x.(*item)) }
func (h *retryHeap) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return it
}

// hostHeap orders hosts by the time at which they may be asked, as in Mercator (Heydon and Najork, 1999).
type hostHeap []*hostQueue

func (h hostHeap) Len() int { return len(h) }
func (h hostHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].turn < h[j].turn
	}
	return h[i].at.Before(h[j].at)
}
func (h hostHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *hostHeap) Push(x any) {
	q := x.(*hostQueue)
	q.index = len(*h)
	*h = append(*h, q)
}
func (h *hostHeap) Pop() any {
	last := len(*h) - 1
	q := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	q.index = -1
	return q
}

package crawl

import (
	"container/heap"
	"time"
)

// hostQueue is what is to be fetched from one host, in the order of discovery.
type hostQueue struct {
	key     string
	robots  []*item   // fetches of robots.txt; they go before all else and pass the gate
	retries retryHeap // items that wait for another try
	pages   []*item
	gates   int // origins of this host whose robots.txt is not known yet: pages wait

	busy    int  // items handed out and not given back
	blocked bool // the host may start nothing before one of its items has started or ended
	strikes int  // 429s, 503s and timeouts in a row

	standing // with its address, where addresses have a pace

	at    time.Time // when to ask it again; of use while it is in the heap
	paced bool      // that time is its pace's, not its items'
	turn  uint64    // among equal times, who has waited longest
	index int       // in the heap; -1 when it is not there
}

// size returns how many items are queued.
func (q *hostQueue) size() int { return len(q.robots) + len(q.retries) + len(q.pages) }

// push queues an item behind those of its kind.
func (q *hostQueue) push(it *item) {
	switch {
	case it.robots != nil:
		q.robots = append(q.robots, it)
	case !it.notBefore.IsZero():
		heap.Push(&q.retries, it)
	default:
		q.pages = append(q.pages, it)
	}
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
	if len(q.retries) > 0 && (len(q.pages) == 0 || !q.retries[0].notBefore.After(now)) {
		return q.retries[0].notBefore, true
	}
	return time.Time{}, len(q.pages) > 0
}

// first returns what due spoke of.
func (q *hostQueue) first(now time.Time) *item {
	switch {
	case len(q.robots) > 0:
		return q.robots[0]
	case len(q.retries) > 0 && !q.retries[0].notBefore.After(now):
		return q.retries[0]
	}
	return q.pages[0]
}

// pop takes it out.
func (q *hostQueue) pop(now time.Time) *item {
	if len(q.robots) > 0 {
		return popFront(&q.robots)
	}
	if len(q.retries) > 0 && !q.retries[0].notBefore.After(now) {
		return heap.Pop(&q.retries).(*item)
	}
	return popFront(&q.pages)
}

// popFront takes out the first item, so that its memory is not kept by the ones behind it.
func popFront(items *[]*item) *item {
	it := (*items)[0]
	(*items)[0] = nil
	*items = (*items)[1:]
	return it
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

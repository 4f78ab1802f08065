package crawl

import (
	"container/heap"
	"context"
	"hash/maphash"
	"io"
	"sync"
	"time"

	"pace/limiter"
	"pace/limiter/progress"
)

// item is one thing to fetch: a page, or the robots.txt of an origin.
type item struct {
	url       URL    // what is to be fetched next
	first     string // where it began; differs from url after a redirect
	referrer  string // the page that linked here; empty for a seed
	depth     int    // links away from a seed
	seed      bool
	sitemap   uint8 // 0 for a page, else how deep in indexes the sitemap lies that is fetched, from 1
	fallback  bool  // a seed whose user gave no scheme: http follows if https does not answer
	redirects int
	attempts  int       // tries of the present URL that failed
	notBefore time.Time // the next try, after a failed one

	robots  *robotsFile // the file that is fetched; nil for a page
	lastMod string      // what a sitemap says of the page

	claimed bool // it was handed out with a claim on its host
	started bool // since then, its request was written
}

// frontier holds what is to be fetched, in memory. It alone waits for hosts: an item that it hands out may start now.
//
// A queue a host, and a heap of the hosts that have something to fetch, by the time at which they may be asked (Heydon
// and Najork, "Mercator: A scalable, extensible Web crawler", 1999). An idle host costs nothing and a slow host holds up
// no other. Pages of one host go in the order of their discovery, so a crawl of one host is breadth-first.
//
// The seen-set keeps 64 bits a URL: among ten million URLs the chance that any one is missed is below 3 in a million.
type frontier struct {
	hosts     *limiter.Hosts
	addresses *addresses // nil if they have no pace
	maxPages  int
	counter   *progress.Counter
	seed      maphash.Seed
	wake      chan struct{} // something changed for the one who waits in next

	observe func(it *item, at time.Time) // told of each start, if not nil

	mu       sync.Mutex
	queues   map[string]*hostQueue
	ready    hostHeap
	turns    uint64
	queued   int // items in all queues
	busy     int // items handed out and not given back
	seen     map[uint64]struct{}
	refused  map[string]bool // origins whose pages are never asked for
	admitted int
}

// newFrontier returns an empty frontier that admits at most maxPages pages; 0 is unlimited.
func newFrontier(hosts *limiter.Hosts, maxPages int, counter *progress.Counter) *frontier {
	return &frontier{
		hosts: hosts, maxPages: maxPages, counter: counter,
		seed: maphash.MakeSeed(), wake: make(chan struct{}, 1),
		queues: map[string]*hostQueue{}, seen: map[uint64]struct{}{}, refused: map[string]bool{},
	}
}

// add admits a page, unless its URL has been seen or the pages are as many as may be. robots, if not nil, is the fetch
// of its origin's robots.txt, which all pages of the host wait for until openGate.
func (f *frontier) add(it, robots *item) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	page := it.sitemap == 0
	if page && f.maxPages > 0 && f.admitted >= f.maxPages || !f.see(it.seenAs(it.url)) {
		return false
	}
	if page {
		f.admitted++
		f.counter.Grow(1, 0)
	}
	f.pushGated(it, robots)
	return true
}

// skip notes a URL that is not to be fetched, and says whether it is new.
func (f *frontier) skip(u URL) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.see(u.String())
}

// openGate lets the pages of a host go that waited for one robots.txt.
func (f *frontier) openGate(host string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queue(host)
	q.gates--
	f.schedule(q)
}

// refuse says that the pages of an origin are never asked for, so that they wait for no turn of their host: after a push
// back, it could be hours away.
func (f *frontier) refuse(origin string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused[origin] = true
}

// started says that the request of an item has just been written.
func (f *frontier) started(it *item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	it.started = true
	now := time.Now()
	f.hosts.Started(it.url.Host(), now)
	f.addressStarted(it, now)
	if f.observe != nil {
		f.observe(it, now)
	}
	f.unblock(f.queues[it.url.Host()])
}

// done gives an item back for good.
func (f *frontier) done(it *item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.release(it)
}

// retry gives an item back to be handed out again, not before a time.
func (f *frontier) retry(it *item, notBefore time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := *it
	next.notBefore = notBefore
	f.push(&next)
	f.release(it)
}

// postpone gives an item back, not fetched, to go behind the fetch of a robots.txt.
func (f *frontier) postpone(it, robots *item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := *it
	f.pushGated(&next, robots)
	f.release(it)
}

// move gives an item back that a redirect sent to another URL, where it waits in that host's queue; robots is as for
// add. It is false, and the item stays handed out, if the URL has been seen.
func (f *frontier) move(it *item, to URL, robots *item) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	// A robots.txt may be a redirect's target and a page as well: the one does not stand for the other.
	if it.robots == nil && !f.see(it.seenAs(to)) {
		return false
	}
	f.pushGated(it.at(to), robots)
	f.release(it)
	return true
}

// backOff pauses an item's host after it pushed back, for as long as it asked or, at 0, for a time that doubles with
// each push-back in a row. It returns the pause.
func (f *frontier) backOff(it *item, asked time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queue(it.url.Host())
	q.strikes++
	pause := asked
	if pause <= 0 {
		pause = backoff(q.strikes)
	}
	f.hosts.Pause(q.key, time.Now().Add(pause))
	return pause
}

// answered says that an item's host answered without pushing back.
func (f *frontier) answered(it *item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue(it.url.Host()).strikes = 0
}

// next waits for an item that may start now. It returns io.EOF when nothing is queued and nothing that could queue more
// is handed out. It is called by one worker at a time.
func (f *frontier) next(ctx context.Context) (*item, error) {
	for {
		it, at, err := f.take(time.Now())
		if it != nil || err != nil {
			return it, err
		}
		if err := f.wait(ctx, at); err != nil {
			return nil, err
		}
	}
}

// take hands out an item, or says when to ask again: at a time, or at zero when something changes.
func (f *frontier) take(now time.Time) (it *item, at time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.ready) > 0 && !f.ready[0].at.After(now) {
		q := heap.Pop(&f.ready).(*hostQueue)
		due, ok := q.due(now)
		if !ok {
			f.passTurn(q)
			continue // gated: openGate schedules it again
		}
		if !due.After(now) {
			if it = q.first(now); it.robots == nil && f.refused[it.url.Origin()] {
				f.passTurn(q)
				return f.handOut(q, now, false), now, nil
			}
			if !f.located(q, now) {
				continue
			}
			if due, ok = f.claim(q, now); ok {
				return f.handOut(q, now, true), now, nil
			}
			if due.IsZero() {
				q.blocked = true
				continue
			}
			f.enter(q, due, true)
			continue
		}
		f.enter(q, due, false)
		f.passTurn(q)
	}
	if len(f.ready) > 0 {
		return nil, f.ready[0].at, nil
	}
	if f.queued == 0 && f.busy == 0 {
		return nil, now, io.EOF
	}
	return nil, time.Time{}, nil
}

// handOut takes a host's first item out of its queue. It requires that mu is held.
func (f *frontier) handOut(q *hostQueue, now time.Time, claimed bool) *item {
	it := q.pop(now)
	it.claimed, it.started = claimed, false
	f.claimedAddress(it, q)
	q.busy++
	f.queued--
	f.busy++
	f.schedule(q)
	return it
}

// wait returns at a time, or when something has changed. Only a wait that a time ends is one for a limit.
func (f *frontier) wait(ctx context.Context, at time.Time) error {
	var timer <-chan time.Time
	if !at.IsZero() {
		defer f.counter.BeginWait().End()
		t := time.NewTimer(time.Until(at))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-timer:
	case <-f.wake:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// seenAs returns what the seen-set knows an item by: a sitemap may be a page as well, and the one does not stand for the
// other.
func (it *item) seenAs(u URL) string {
	if it.sitemap > 0 {
		return "sitemap " + u.String()
	}
	return u.String()
}

// see notes what an item is known by and says whether it is new. It requires that mu is held.
func (f *frontier) see(key string) bool {
	h := maphash.String(f.seed, key)
	if _, ok := f.seen[h]; ok {
		return false
	}
	f.seen[h] = struct{}{}
	return true
}

// queue returns a host's queue. It requires that mu is held.
func (f *frontier) queue(host string) *hostQueue {
	q := f.queues[host]
	if q == nil {
		q = &hostQueue{key: host, index: -1}
		f.queues[host] = q
	}
	return q
}

// push queues an item with its host. It requires that mu is held.
func (f *frontier) push(it *item) {
	q := f.queue(it.url.Host())
	q.push(it)
	f.queued++
	f.schedule(q)
}

// pushGated queues an item, and before it the robots.txt that its host waits for, if any. It requires that mu is held.
func (f *frontier) pushGated(it, robots *item) {
	if robots != nil {
		f.queue(robots.robots.host).gates++
		f.push(robots)
	}
	f.push(it)
}

// release ends an item's claim on its host. It requires that mu is held.
func (f *frontier) release(it *item) {
	q := f.queues[it.url.Host()]
	if it.claimed {
		f.hosts.Release(q.key, it.started)
		f.releaseAddress(it)
	}
	q.busy--
	f.busy--
	f.unblock(q)
	if q.busy == 0 && q.gates == 0 && q.size() == 0 {
		delete(f.queues, q.key)
	}
	if f.busy == 0 && f.queued == 0 {
		f.changed()
	}
}

// unblock lets a host be asked again. It requires that mu is held.
func (f *frontier) unblock(q *hostQueue) {
	q.blocked = false
	f.schedule(q)
}

// schedule puts a host into the heap if it has anything to ask for. It requires that mu is held.
func (f *frontier) schedule(q *hostQueue) {
	if q.blocked {
		return
	}
	now := time.Now()
	due, ok := q.due(now)
	if !ok {
		return
	}
	if due.Before(now) {
		due = now
	}
	switch {
	case q.index < 0:
		f.enter(q, due, false)
	case due.Before(q.at) && !q.paced:
		// It sleeps for an item that is no longer the first.
		q.at = due
		heap.Fix(&f.ready, q.index)
	default:
		return
	}
	f.changed()
}

// enter puts a host into the heap, behind those of the same time. It requires that mu is held.
func (f *frontier) enter(q *hostQueue, at time.Time, paced bool) {
	f.turns++
	q.at, q.paced, q.turn = at, paced, f.turns
	heap.Push(&f.ready, q)
}

// changed wakes the one who waits in next.
func (f *frontier) changed() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// at returns the item for another URL.
func (it *item) at(to URL) *item {
	next := *it
	next.url = to
	next.redirects++
	next.attempts = 0
	next.notBefore = time.Time{}
	return &next
}

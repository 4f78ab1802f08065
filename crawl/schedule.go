package crawl

import (
	"container/heap"
	"context"
	"io"
	"sync"
	"time"

	"pace/limiter"
	"pace/limiter/exchange"
	"pace/limiter/progress"
)

// schedule decides which item is next: a queue a host, and a heap of the hosts that have something to fetch, by the time
// at which they may be asked (Heydon and Najork, "Mercator: A scalable, extensible Web crawler", 1999). An idle host
// costs nothing and a slow host holds up no other.
type schedule struct {
	hosts        *limiter.Hosts
	addresses    *addresses // nil if they have no pace
	budget       hostBudget
	counter      *progress.Counter
	sitemapFiles sitemapBudget
	wake         chan struct{} // something changed for the one who waits in next

	// gate returns the fetch of the robots.txt that a page depends on, or nil if it is known, on its way, or not asked
	// for. All pages of the host wait for it until openGate. It is called with mu held; nil for no gates.
	gate func(it *item) *item
	// fill brings pages of a queue from the disk. It is called with mu held; nil if all are in memory.
	fill    func(q *hostQueue) error
	observe func(it *item, at time.Time) // told of each start, if not nil
	handed  func(it *item)               // told of each item that is handed out, with mu held, if not nil

	mu      sync.Mutex
	queues  map[string]*hostQueue
	ready   hostHeap
	turns   uint64
	queued  int             // items in all queues
	busy    int             // items handed out and not given back
	refused map[string]bool // origins whose pages are never asked for
	opening time.Time       // no host starts anything before
	open    bool            // items may come from elsewhere: there is no end before err says so
	err     error           // what next returns from now on
	packed  int             // bytes of the pages in all queues' memory
	scratch []byte
}

func newSchedule(hosts *limiter.Hosts, counter *progress.Counter, gate func(*item) *item) schedule {
	return schedule{
		hosts: hosts, counter: counter, gate: gate, wake: make(chan struct{}, 1),
		queues: map[string]*hostQueue{}, refused: map[string]bool{},
	}
}

func (f *schedule) openGate(host string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queue(host)
	q.gates--
	f.schedule(q)
}

func (f *schedule) refuse(origin string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused[origin] = true
}

func (f *schedule) left() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.queued > 0
}

func (f *schedule) forgive(origin string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.refused, origin)
}

func (f *schedule) setDelay(host string, delay time.Duration) { f.hosts.SetDelay(host, delay) }

func (f *schedule) started(it *item) {
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

func (f *schedule) retry(it *item, notBefore time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := *it
	next.notBefore = notBefore
	f.push(&next)
	f.release(it)
}

func (f *schedule) backOff(it *item, asked time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queue(it.url.Host())
	q.strikes++
	pause := asked
	if pause <= 0 {
		pause = exchange.Backoff(q.strikes)
	}
	f.hosts.Pause(q.key, time.Now().Add(pause))
	return pause
}

func (f *schedule) answered(it *item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue(it.url.Host()).strikes = 0
}

func (f *schedule) next(ctx context.Context) (*item, error) {
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
func (f *schedule) take(now time.Time) (it *item, at time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.err == nil && len(f.ready) > 0 && !f.ready[0].at.After(now) {
		q := heap.Pop(&f.ready).(*hostQueue)
		if it, err := f.ask(q, now); it != nil || err != nil {
			return it, now, err
		}
	}
	switch {
	case f.err != nil:
		return nil, now, f.err
	case len(f.ready) > 0:
		return nil, f.ready[0].at, nil
	case f.queued == 0 && f.busy == 0 && !f.open:
		return nil, now, io.EOF
	}
	return nil, time.Time{}, nil
}

// ask takes an item from a host that is out of the heap, or puts the host back to where it is to be asked again. It
// requires that mu is held.
func (f *schedule) ask(q *hostQueue, now time.Time) (*item, error) {
	if q.parked {
		return nil, nil // whoever unparks it schedules it again
	}
	if q.starved() {
		if err := f.fill(q); err != nil {
			return nil, err
		}
	}
	due, ok := q.due(now)
	switch {
	case !ok:
		f.passTurn(q)
		return nil, nil // gated: openGate schedules it again
	case due.After(now):
		f.enter(q, due, false)
		f.passTurn(q)
		return nil, nil
	}
	it, err := q.first(now)
	if err != nil {
		return nil, err
	}
	if it.robots == nil {
		if f.refused[it.url.Origin()] {
			f.passTurn(q)
			return f.handOut(q, it, false), nil
		}
		it = f.gated(q, it)
	}
	if f.opening.After(now) {
		f.enter(q, f.opening, true)
		f.passTurn(q)
		return nil, nil
	}
	if !f.located(q, it, now) {
		return nil, nil
	}
	due, ok = f.claim(q, now)
	switch {
	case ok:
		return f.handOut(q, it, true), nil
	case due.IsZero():
		q.blocked = true
	default:
		f.enter(q, due, true)
	}
	return nil, nil
}

// gated returns the page, or the robots.txt that it waits for and nobody has asked for yet. It requires that mu is held.
func (f *schedule) gated(q *hostQueue, page *item) *item {
	if f.gate == nil {
		return page
	}
	robots := f.gate(page)
	if robots == nil {
		return page
	}
	q.gates++
	q.push(robots)
	f.queued++
	return robots
}

// handOut takes a host's first item out of its queue. It requires that mu is held.
func (f *schedule) handOut(q *hostQueue, it *item, claimed bool) *item {
	before := q.pages.bytes
	q.pop(it)
	f.packed -= before - q.pages.bytes
	it.claimed, it.started = claimed, false
	if f.handed != nil {
		f.handed(it)
	}
	f.claimedAddress(it, q)
	if it.robots == nil {
		q.stored.hold(it.seq)
	}
	q.busy++
	f.queued--
	f.busy++
	f.schedule(q)
	return it
}

// wait returns at a time, or when something has changed. Only a wait that a time ends is one for a limit.
func (f *schedule) wait(ctx context.Context, at time.Time) error {
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

// queue returns a host's queue. It requires that mu is held.
func (f *schedule) queue(host string) *hostQueue {
	q := f.queues[host]
	if q == nil {
		q = &hostQueue{key: host, index: -1}
		f.queues[host] = q
	}
	return q
}

// push queues an item with its host. It requires that mu is held.
func (f *schedule) push(it *item) {
	q := f.queue(it.url.Host())
	if it.robots == nil && it.notBefore.IsZero() {
		f.scratch = appendItem(f.scratch[:0], it)
		f.pack(q, it.seq, f.scratch)
	} else {
		q.push(it)
	}
	f.queued++
	f.schedule(q)
}

// pack queues a page that is packed already. It requires that mu is held.
func (f *schedule) pack(q *hostQueue, seq uint64, packed []byte) {
	q.pages.push(seq, packed)
	f.packed += len(packed)
}

// release ends an item's claim on its host. It requires that mu is held.
func (f *schedule) release(it *item) {
	q := f.queues[it.url.Host()]
	if it.claimed {
		f.hosts.Release(q.key, it.started)
		f.releaseAddress(it)
	}
	q.busy--
	f.busy--
	f.unblock(q)
	if q.idle() {
		delete(f.queues, q.key)
	}
	if f.busy == 0 && f.queued == 0 {
		f.changed()
	}
}

// unblock lets a host be asked again. It requires that mu is held.
func (f *schedule) unblock(q *hostQueue) {
	q.blocked = false
	f.schedule(q)
}

// schedule puts a host into the heap if it has anything to ask for. It requires that mu is held.
func (f *schedule) schedule(q *hostQueue) {
	if q.blocked || q.parked {
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
func (f *schedule) enter(q *hostQueue, at time.Time, paced bool) {
	f.turns++
	q.at, q.paced, q.turn = at, paced, f.turns
	heap.Push(&f.ready, q)
}

// changed wakes the one who waits in next.
func (f *schedule) changed() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// check says that an item is still this process's to fetch: it has no others.
func (f *schedule) check(*item) error { return nil }

// bind returns a context for the fetch of an item.
func (f *schedule) bind(ctx context.Context, _ *item) (context.Context, context.CancelFunc) {
	return ctx, func() {}
}

// giveUp ends the work on an item that is no longer this process's.
func (f *schedule) giveUp(it *item) { f.retry(it, it.notBefore) }

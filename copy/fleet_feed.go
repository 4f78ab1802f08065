package copy

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pace/limiter/fleet"
)

const (
	fleetPoll    = 200 * time.Millisecond
	leaseItems   = 4        // of a key that are in hand at first
	syncEach     = 64 * mib // bytes after which what was written is synced, and acknowledged
	limitedSyncs = 16       // a second, where a rate holds the copy back
	settleAfter  = time.Second
)

// fleetFeed brings the jobs of a run from the job of a fleet. A goroutine leases keys; workers do their items, and now and
// then one of them acknowledges what is done: only after a sync, because another machine may not see what was written
// before, and a power cut would lose it.
type fleetFeed struct {
	*fleetRun
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	kick   chan struct{} // wakes the goroutine
	ready  chan struct{} // there may be something for next
	hungry atomic.Bool   // this worker has added something
	idle   atomic.Bool   // there was nothing to lease when it was last asked
	era    int64         // of the job, in which this worker has told it what it begins with
	missed missed        // of the goroutine

	mu       sync.Mutex
	holds    map[*fleet.Lease]*holding // guarded by mu, as are the next
	queue    []*task
	done     []*task
	since    time.Time // when the oldest of done was done
	unsynced int64     // bytes
	running  int       // items, and rounds of settling
	over     bool      // nothing more comes
	err      error
}

// holding is a key that this worker has leased.
type holding struct {
	lease *fleet.Lease
	out   int  // items in hand
	dry   bool // there were no more when it was last asked
	lost  bool
}

// task is an item in hand.
type task struct {
	*holding
	item     fleetItem
	id       string
	attempts int
	end      string // of a group: why that has failed
	era      int64  // of the job, in which it was begun

	work    *work // of a chunk
	bytes   int64 // that it has written
	synced  bool  // it needs no sync
	failure string
}

func newFleetFeed(f *fleetRun) *fleetFeed {
	e := &fleetFeed{
		fleetRun: f, kick: make(chan struct{}, 1), ready: make(chan struct{}, 1), holds: map[*fleet.Lease]*holding{},
	}
	e.era = f.job.Era()
	e.ctx, e.cancel = context.WithCancel(context.Background())
	f.job.OnLost(e.lose)
	e.wg.Go(e.lease)
	return e
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// next returns the next job. It is called by one worker at a time.
func (e *fleetFeed) next(ctx context.Context) (job, error) {
	for {
		j, wait, err := e.take()
		if j != nil || err != nil {
			return j, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-e.ready:
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		}
		timer.Stop()
	}
}

// take returns what there is to do now, or after how long to look again.
func (e *fleetFeed) take() (job, time.Duration, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	age := time.Since(e.since)
	due := len(e.done) > 0 && (e.unsynced >= e.syncEach() || age >= e.settleAfter())
	switch {
	case e.err != nil:
		return nil, 0, e.err
	case due || len(e.done) > 0 && e.dry():
		return e.settling(), 0, nil
	case len(e.queue) > 0:
		t := e.queue[0]
		e.queue = e.queue[1:]
		e.running++
		if len(e.queue) <= e.width/2 {
			wake(e.kick)
		}
		return func(ctx context.Context) error { return e.do(ctx, t) }, 0, nil
	case e.over && e.running == 0:
		return nil, 0, io.EOF
	}
	return nil, fleetPoll, nil
}

// dry says that nothing comes before something is acknowledged. While keys are being asked for, what is done can wait: of
// many small files a sync for each few would take longer than the copying. It requires that mu is held.
func (e *fleetFeed) dry() bool {
	return len(e.queue) == 0 && (e.idle.Load() || e.over)
}

// syncEach is how much may be written and not acknowledged. Where a rate is what holds the copy back, syncs cost nothing,
// and what a worker that is killed has not acknowledged is taken from the rate once more.
func (e *fleetFeed) syncEach() int64 {
	return int64(min(syncEach, e.Rate.PerSecond()/limitedSyncs))
}

// settleAfter is how long something may be done and not acknowledged.
func (e *fleetFeed) settleAfter() time.Duration { return min(settleAfter, e.job.Lasts()/4) }

// settling returns the job of acknowledging what is done. It requires that mu is held.
func (e *fleetFeed) settling() job {
	done := e.done
	e.done, e.unsynced = nil, 0
	e.running++
	return func(ctx context.Context) error {
		err := e.settle(ctx, done)
		e.ended()
		return err
	}
}

func (e *fleetFeed) ended() {
	e.mu.Lock()
	e.running--
	e.mu.Unlock()
	wake(e.ready)
}

// do does an item, as long as its lease lasts. The error is one that ends the run.
func (e *fleetFeed) do(ctx context.Context, t *task) error {
	defer e.ended()
	t.era = e.job.Era()
	bound, stop := t.lease.Bind(ctx)
	err := t.lease.Check()
	if err == nil {
		err = e.perform(bound, t)
	}
	stop()
	lost := t.lease.Check() != nil || errors.Is(err, fleet.ErrLost)
	if lost { // another worker has it by now
		e.repair(ctx, t)
		e.works.drop(t)
	}
	switch {
	case ctx.Err() != nil:
		return cancelled(ctx)
	case lost:
		return nil
	case errors.Is(err, fleet.ErrRestarted): // the acknowledgement gives it back, as what was begun in an era that is over
	case err != nil:
		e.works.drop(t)
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.done) == 0 {
		e.since = time.Now()
	}
	e.done = append(e.done, t)
	e.unsynced += t.bytes
	return nil
}

// lose forgets the items of a lease that has ended by itself.
func (e *fleetFeed) lose(l *fleet.Lease) {
	e.mu.Lock()
	h := e.holds[l]
	if h != nil {
		h.lost = true
		delete(e.holds, l)
		e.queue = slices.DeleteFunc(e.queue, func(t *task) bool { return t.holding == h })
	}
	e.mu.Unlock()
	wake(e.kick)
}

// admit queues items of a key that is held. Items that make no sense end the run.
func (e *fleetFeed) admit(h *holding, items []fleet.Item) error {
	tasks := make([]*task, 0, len(items))
	for _, item := range items {
		t := &task{holding: h, id: item.ID, attempts: item.Attempts}
		payload := item.Payload
		if isEnd(h.lease.Key) {
			payload, t.end = fleet.SplitEnd(payload)
		}
		var err error
		if t.item, err = parseFleetItem(payload); err != nil {
			return err
		}
		tasks = append(tasks, t)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if h.lost {
		return nil
	}
	h.out += len(tasks)
	e.queue = append(e.queue, tasks...)
	wake(e.ready)
	return nil
}

// end stops leasing, and acknowledges what is done as far as that takes no time.
func (e *fleetFeed) end() error {
	e.cancel()
	e.wg.Wait()
	e.mu.Lock()
	done := e.done
	e.done = nil
	e.mu.Unlock()
	if len(done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), fleetPatience)
	defer cancel()
	if err := e.settle(ctx, done); ctx.Err() == nil {
		return err
	}
	return nil // whoever leases it next does it again
}

// fail ends the run.
func (e *fleetFeed) fail(err error) {
	e.mu.Lock()
	if e.err == nil {
		e.err = err
	}
	e.mu.Unlock()
	wake(e.ready)
}

package limiter

import (
	"context"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// Each takes jobs from next and does them, at most workers at a time, as the mode says:
//
//   - Sequential runs one job after another on the calling goroutine, which stays on its OS thread.
//   - Threads gives every worker an OS thread of its own, which its jobs block in their system calls and which ends
//     with the worker. Each fails with a [*ThreadLimitError] if the machine does not allow so many.
//   - Async gives every worker a goroutine.
//
// Calls of next never overlap; next may block, and returns io.EOF when there are no more jobs. A worker starts only when
// there is a job that no earlier worker has taken, so few jobs cost few threads.
//
// The first error of next or do cancels the context that both are given, and Each returns it when every worker has
// left. If ctx is cancelled before the jobs are done no further job starts, and Each returns the cancellation's cause.
func Each[J any](
	ctx context.Context, m Mode, workers int,
	next func(context.Context) (J, error), do func(context.Context, J) error,
) error {
	return EachOf(ctx, m, FixedWorkers(workers), next, do)
}

// EachOf is [Each] with a number of workers that may change meanwhile. They are for this call only. In Threads mode the
// most that there can be are no more than the machine allows.
func EachOf[J any](
	ctx context.Context, m Mode, workers *Workers,
	next func(context.Context) (J, error), do func(context.Context, J) error,
) error {
	if err := workers.bound(m); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &crew[J]{mode: m, turn: make(chan struct{}, 1), workers: workers, next: next, do: do, cancel: cancel}
	if m == Sequential {
		// The goroutine would otherwise move between threads whenever a system call takes long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		workers.begin(nil)
		c.work(ctx)
		return c.err
	}
	stop := context.AfterFunc(ctx, workers.wake)
	defer stop()
	workers.begin(func() chan struct{} { return c.hire(ctx) })
	c.hire(ctx)
	c.wg.Wait()
	return c.err
}

// crew is the workers of one call of Each.
type crew[J any] struct {
	mode    Mode
	workers *Workers
	next    func(context.Context) (J, error)
	do      func(context.Context, J) error
	cancel  context.CancelCauseFunc
	wg      sync.WaitGroup

	turn chan struct{} // full while someone calls next
	over bool          // next has returned an error, io.EOF included; guarded by turn

	started atomic.Int64 // workers

	errOnce sync.Once
	err     error // read after all workers have left
}

// hire starts one more worker, while another one runs or none has yet. The result is closed when a thread that was
// started is there; nil if nothing is to be waited for.
func (c *crew[J]) hire(ctx context.Context) (there chan struct{}) {
	if c.mode != Threads {
		c.wg.Go(func() { c.work(ctx) })
		return nil
	}
	there = make(chan struct{})
	c.wg.Go(func() {
		// Never unlocked: the runtime ends a thread whose goroutine leaves it locked.
		runtime.LockOSThread()
		close(there)
		c.work(ctx)
	})
	return there
}

// work does jobs until there are no more or the context is cancelled.
func (c *crew[J]) work(ctx context.Context) {
	ctx = c.asWorker(ctx)
	for first := true; ; first = false {
		job, hired, ok := c.take(ctx, first)
		if !ok {
			return
		}
		if hired != nil {
			// In the system calls of its job this thread would keep its P, and the new worker would not start for as long
			// as they are short: with quick jobs, a few workers would do them all.
			<-hired
		}
		if err := c.do(ctx, job); err != nil {
			c.fail(ctx, err)
			return
		}
		c.workers.seek()
	}
}

// take returns the next job, or false if there is none to do. It may start a worker for the job after it: here, in its
// turn, because one that waited for another turn could find it taken by a worker that waits in next.
func (c *crew[J]) take(ctx context.Context, first bool) (job J, hired chan struct{}, ok bool) {
	c.turn <- struct{}{}
	// Not before the turn: many may have waited for it when there was room for all of them.
	for c.workers.Surplus() {
		<-c.turn
		if !c.workers.park(ctx) {
			return job, nil, false
		}
		c.turn <- struct{}{}
	}
	defer func() { <-c.turn }()
	if c.over {
		return job, nil, false
	}
	err := ctx.Err()
	if err == nil {
		job, err = c.next(ctx)
	}
	if err != nil {
		c.over = true
		if err != io.EOF {
			c.fail(ctx, err) // at once: the first error is the one that counts
		}
		c.workers.end()
		return job, nil, false
	}
	return job, c.workers.found(first), true
}

// fail keeps the first error, or what cancelled the context before it, and stops everyone.
func (c *crew[J]) fail(ctx context.Context, err error) {
	c.errOnce.Do(func() {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		c.err = err
	})
	// Before this worker has left: it may be the last, and then none is to start.
	c.workers.end()
	c.cancel(err)
}

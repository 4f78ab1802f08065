package limiter

import (
	"context"
	"errors"
	"sync"
)

// Workers is how many workers of one call of [EachOf] have jobs at once. The number can be changed while they run. A
// worker that is too many waits, in threads mode with its thread, as soon as it has done its job.
type Workers struct {
	fixed bool // nobody changes the number, so nobody need count who has a job

	mu      sync.Mutex
	room    sync.Cond
	most    int
	want    int
	active  int                  // workers that do not wait for room: they have a job or seek one
	seeking int                  // those of them that seek one, the ones just started too
	started int                  // in all; those that are not active wait for room
	over    bool                 // nobody is to start any more
	start   func() chan struct{} // one more worker; nil before there can be others. The result is that of crew.hire
}

// NewWorkers returns a number of workers that is n now and never above most, both at least 1.
func NewWorkers(n, most int) *Workers {
	w := &Workers{most: max(most, 1)}
	w.want = min(max(n, 1), w.most)
	w.room.L = &w.mu
	return w
}

// FixedWorkers returns a number of workers that Set must not change.
func FixedWorkers(n int) *Workers {
	w := NewWorkers(n, n)
	w.fixed = true
	return w
}

// Set changes the number, to 1 at least and to the most at most, and returns what it is now.
func (w *Workers) Set(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n = min(max(n, 1), w.most)
	for range n - w.want {
		w.room.Signal()
	}
	w.want = n
	// While somebody seeks a job there is none to start a worker for: whoever finds one starts the next.
	if w.seeking == 0 {
		w.add()
	}
	return n
}

// Surplus says whether there is a worker too many. A job that is long, and can be left to others, asks now and then.
func (w *Workers) Surplus() bool {
	if w.fixed {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active > w.want
}

// load returns how many workers have a job, how many have or seek one, and how many wait for room.
func (w *Workers) load() (busy, active, parked int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active - w.seeking, w.active, w.started - w.active
}

// bound returns the most that there can be, and lowers it if the machine allows no more threads. The error is that of
// too many even for the number now.
func (w *Workers) bound(m Mode) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch m {
	case Sequential:
		w.most, w.want = 1, 1
	case Threads:
		err := checkThreads(w.most)
		limit, ok := errors.AsType[*ThreadLimitError](err)
		if !ok || limit.Most < w.want {
			return err
		}
		w.most = limit.Most
	}
	return nil
}

// begin counts the first worker, and has later ones started by start.
func (w *Workers) begin(start func() chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.start = start
	w.active, w.seeking, w.started = 1, 1, 1
}

// add starts one more worker if there is room that no other waits for. It requires that mu is held.
func (w *Workers) add() chan struct{} {
	if w.over || w.start == nil || w.active >= w.want || w.started > w.active {
		return nil
	}
	w.active++
	w.seeking++
	w.started++
	return w.start()
}

// seek is what a worker says that has done its job.
func (w *Workers) seek() {
	if w.fixed {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seeking++
}

// found is what a worker says that has found a job. It starts another one for the next job, if nobody else seeks it or
// this was the first job of the worker.
func (w *Workers) found(first bool) chan struct{} {
	if w.fixed && !first {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seeking--
	if !first && w.seeking > 0 {
		return nil
	}
	return w.add()
}

// park keeps a worker that seeks a job waiting while there is no room for it. It is false if it is to leave: not the last
// one, for there is always room for one.
func (w *Workers) park(ctx context.Context) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.active <= w.want {
		return true
	}
	w.active--
	w.seeking--
	for w.active >= w.want && !w.over && ctx.Err() == nil {
		w.room.Wait()
	}
	if w.over || ctx.Err() != nil {
		w.started--
		return false
	}
	w.active++
	w.seeking++
	return true
}

// end lets no worker start any more, and those leave that wait for room.
func (w *Workers) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.room.Broadcast()
}

// wake has those that wait for room look at their context.
func (w *Workers) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.room.Broadcast()
}

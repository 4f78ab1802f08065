package limiter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// workersModes are those with several workers.
var workersModes = []Mode{Threads, Async}

// held runs jobs of which each holds its worker for a second, without end until ctx is cancelled, and counts them.
func held(ctx context.Context, m Mode, w *Workers, running *atomic.Int64) error {
	return EachOf(ctx, m, w, func(context.Context) (int, error) { return 0, nil }, func(context.Context, int) error {
		running.Add(1)
		defer running.Add(-1)
		time.Sleep(time.Second)
		return nil
	})
}

func TestWorkersChange(t *testing.T) {
	for _, m := range workersModes {
		t.Run(m.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				w := NewWorkers(3, 40)
				var running atomic.Int64
				done := make(chan error)
				go func() { done <- held(ctx, m, w, &running) }()
				time.Sleep(time.Second / 2)
				for _, n := range []int{3, 10, 40, 7, 1, 20, 50, 0, 2} {
					want := min(max(n, 1), 40)
					if got := w.Set(n); got != want {
						t.Errorf("Set(%d) is %d, want %d", n, got, want)
					}
					time.Sleep(1300 * time.Millisecond) // those that are too many have done their jobs
					if got := running.Load(); got != int64(want) {
						t.Errorf("%d workers after Set(%d), want %d", got, n, want)
					}
				}
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want what cancelled", err)
				}
			})
		})
	}
}

// TestWorkersAreAddedToLongJobs raises the number while no worker comes back for a job.
func TestWorkersAreAddedToLongJobs(t *testing.T) {
	for _, m := range workersModes {
		t.Run(m.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := NewWorkers(1, 8)
				var running atomic.Int64
				err := EachOf(t.Context(), m, w, count(8), func(context.Context, int) error {
					running.Add(1)
					time.Sleep(time.Second)
					w.Set(8)
					for running.Load() < 8 {
						time.Sleep(time.Second)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestSurplusEndsLongJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorkers(8, 8)
		var running, left atomic.Int64
		jobs := count(9)
		err := EachOf(t.Context(), Async, w, jobs, func(_ context.Context, job int) error {
			running.Add(1)
			defer running.Add(-1)
			for step := range 10 {
				// One after another: of those that ask at the same moment, more than are too many may go.
				time.Sleep(time.Second + time.Duration(job)*time.Millisecond)
				if step == 4 {
					w.Set(2)
				}
				if w.Surplus() {
					left.Add(1)
					return nil
				}
				if n := running.Load(); step > 5 && n > 2 {
					t.Errorf("%d workers, want 2", n)
				}
			}
			return nil
		})
		if err != nil || left.Load() != 6 {
			t.Errorf("%d jobs were left, want 6: %v", left.Load(), err)
		}
	})
}

// TestParkedWorkersEnd has workers without room when the jobs are done, fail or are cancelled: EachOf must not wait for them.
func TestParkedWorkersEnd(t *testing.T) {
	boom := errors.New("boom")
	for _, m := range workersModes {
		for name, end := range map[string]func(cancel context.CancelCauseFunc) (nextErr, doErr, want error){
			"done":      func(context.CancelCauseFunc) (error, error, error) { return io.EOF, nil, nil },
			"next":      func(context.CancelCauseFunc) (error, error, error) { return boom, nil, boom },
			"do":        func(context.CancelCauseFunc) (error, error, error) { return nil, boom, boom },
			"cancelled": func(cancel context.CancelCauseFunc) (error, error, error) { cancel(boom); return nil, nil, boom },
		} {
			t.Run(m.String()+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					w := NewWorkers(10, 10)
					var ending atomic.Bool
					var want, nextErr, doErr error
					next := func(context.Context) (int, error) {
						if ending.Load() {
							return 0, nextErr
						}
						return 0, nil
					}
					err := EachOf(ctx, m, w, next, func(context.Context, int) error {
						time.Sleep(time.Second)
						if _, active, parked := w.load(); active == 1 && parked == 9 && !ending.Load() {
							nextErr, doErr, want = end(cancel)
							ending.Store(true)
							return doErr
						}
						if active, _, _ := w.load(); active == 10 {
							w.Set(1)
						}
						return nil
					})
					if err != want {
						t.Errorf("got %v, want %v", err, want)
					}
				})
			})
		}
	}
}

// TestIdleWorkersPark lowers the number while all workers but one wait for a job, and then brings many at once.
func TestIdleWorkersPark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorkers(20, 20)
		var running, peak atomic.Int64
		burst := make(chan struct{})
		n := 0
		next := func(context.Context) (int, error) {
			switch n++; {
			case n == 21:
				<-burst
			case n > 60:
				return 0, io.EOF
			}
			return n, nil
		}
		time.AfterFunc(10*time.Second, func() {
			w.Set(3)
			close(burst)
		})
		err := EachOf(t.Context(), Async, w, next, func(_ context.Context, j int) error {
			now := running.Add(1)
			defer running.Add(-1)
			if j > 20 && now > peak.Load() {
				peak.Store(now)
			}
			time.Sleep(time.Second)
			return nil
		})
		if err != nil || peak.Load() != 3 {
			t.Errorf("%d jobs at once, want 3: %v", peak.Load(), err)
		}
	})
}

func TestParkedThreadsStay(t *testing.T) {
	if threadID() == 0 {
		t.Skip("threads cannot be counted on this operating system")
	}
	const workers = 30
	w := NewWorkers(1, workers)
	var mu sync.Mutex
	threads := map[int]bool{}
	var all atomic.Int64
	looked := make(chan struct{})
	err := EachOf(t.Context(), Threads, w, count(1000), func(_ context.Context, j int) error {
		if j == 0 {
			w.Set(workers)
		}
		if all.Add(1) <= workers { // the first jobs wait for each other
			mu.Lock()
			threads[threadID()] = true
			mu.Unlock()
			for all.Load() < workers {
				runtime.Gosched()
			}
		}
		switch j {
		case 500:
			w.Set(2)
		case 900:
			defer close(looked)
			mu.Lock()
			defer mu.Unlock()
			for thread := range threads {
				if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", thread)); err != nil {
					t.Error(err)
				}
			}
			if len(threads) != workers {
				t.Errorf("%d threads for %d workers", len(threads), workers)
			}
		}
		if j > 900 { // at the end all threads leave
			<-looked
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTooManyThreadsAtMost(t *testing.T) {
	w := NewWorkers(2, 1_000_000)
	if err := EachOf(t.Context(), Threads, w, count(10), func(context.Context, int) error { return nil }); err != nil {
		t.Error(err)
	}
	if got := w.Set(1_000_000); got >= runtimeThreads || got < 2 {
		t.Errorf("%d threads can be had", got)
	}
	var limit *ThreadLimitError
	w = NewWorkers(500_000, 1_000_000)
	err := EachOf(t.Context(), Threads, w, count(1), func(context.Context, int) error { return nil })
	if !errors.As(err, &limit) {
		t.Errorf("got %v", err)
	}
}

func TestSequentialHasOneWorker(t *testing.T) {
	w := NewWorkers(5, 10)
	var running atomic.Int64
	err := EachOf(t.Context(), Sequential, w, count(100), func(context.Context, int) error {
		if running.Add(1) > 1 {
			t.Error("two at once")
		}
		w.Set(10)
		running.Add(-1)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

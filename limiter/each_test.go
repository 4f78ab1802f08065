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
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// count returns a next that yields 0 to n-1.
func count(n int) func(context.Context) (int, error) {
	i := 0
	return func(context.Context) (int, error) {
		if i == n {
			return 0, io.EOF
		}
		i++
		return i - 1, nil
	}
}

// inEachMode runs a test once a mode.
func inEachMode(t *testing.T, test func(t *testing.T, m Mode)) {
	for _, m := range Modes {
		t.Run(m.String(), func(t *testing.T) { test(t, m) })
	}
}

func TestEachDoesEveryJobOnce(t *testing.T) {
	inEachMode(t, func(t *testing.T, m Mode) {
		for _, workers := range []int{0, 1, 3, 50} {
			for _, jobs := range []int{0, 1, 2, 100} {
				var mu sync.Mutex
				done := map[int]int{}
				err := Each(t.Context(), m, workers, count(jobs), func(_ context.Context, j int) error {
					mu.Lock()
					defer mu.Unlock()
					done[j]++
					return nil
				})
				if err != nil || len(done) != jobs {
					t.Errorf("%d workers did %d of %d jobs: %v", workers, len(done), jobs, err)
				}
				for j, n := range done {
					if n != 1 {
						t.Errorf("job %d was done %d times", j, n)
					}
				}
			}
		}
	})
}

func TestEachSequentialKeepsOrderAndThread(t *testing.T) {
	last, thread := -1, 0
	err := Each(t.Context(), Sequential, 9, count(1000), func(_ context.Context, j int) error {
		if j != last+1 {
			t.Errorf("job %d after %d", j, last)
		}
		if last = j; thread == 0 {
			thread = threadID()
		}
		if id := threadID(); id != thread {
			t.Errorf("job %d on thread %d, the first on %d", j, id, thread)
		}
		runtime.Gosched()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestEachAtOnce holds jobs until as many run as may, so that fewer would never end and more would be seen.
func TestEachAtOnce(t *testing.T) {
	for m, want := range map[Mode]int{Sequential: 1, Threads: 20, Async: 20} {
		t.Run(m.String(), func(t *testing.T) {
			var running, peak atomic.Int64
			full := make(chan struct{})
			threads := sync.Map{}
			err := Each(t.Context(), m, 20, count(60), func(ctx context.Context, _ int) error {
				n := running.Add(1)
				defer running.Add(-1)
				for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
				}
				if n == int64(want) {
					select {
					case <-full:
					default:
						close(full)
					}
				}
				threads.Store(threadID(), true)
				<-full
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if p := peak.Load(); p != int64(want) {
				t.Errorf("%d jobs at once, want %d", p, want)
			}
			ids := 0
			threads.Range(func(any, any) bool { ids++; return true })
			if m == Threads && threadID() != 0 && ids != want {
				t.Errorf("%d workers ran on %d threads", want, ids)
			}
		})
	}
}

func TestEachStartsNoMoreWorkersThanJobs(t *testing.T) {
	if threadID() == 0 {
		t.Skip("threads cannot be counted on this operating system")
	}
	before := countThreads(t)
	err := Each(t.Context(), Threads, 60, count(2), func(context.Context, int) error {
		if n := countThreads(t); n > before+8 {
			t.Errorf("%d threads, %d before: two jobs need two workers", n, before)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestEachThreadsEndWithTheirWorkers(t *testing.T) {
	if threadID() == 0 {
		t.Skip("threads cannot be counted on this operating system")
	}
	before := countThreads(t)
	var all sync.WaitGroup
	all.Add(100)
	err := Each(t.Context(), Threads, 100, count(100), func(context.Context, int) error {
		all.Done()
		all.Wait()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// The kernel ends a thread a moment after its goroutine.
	for deadline := time.Now().Add(5 * time.Second); countThreads(t) > before+8; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d threads before, %d left", before, countThreads(t))
		}
	}
}

func TestEachReturnsTheFirstError(t *testing.T) {
	boom := errors.New("boom")
	inEachMode(t, func(t *testing.T, m Mode) {
		var after atomic.Int64
		err := Each(t.Context(), m, 4, count(1_000_000), func(ctx context.Context, j int) error {
			if j == 10 {
				return boom
			}
			if ctx.Err() != nil {
				after.Add(1)
			}
			return ctx.Err()
		})
		if err != boom {
			t.Errorf("got %v", err)
		}
		if n := after.Load(); n > 4 {
			t.Errorf("%d jobs ran after the error", n)
		}
		err = Each(t.Context(), m, 4, func(context.Context) (int, error) { return 0, boom },
			func(context.Context, int) error { return nil })
		if err != boom {
			t.Errorf("an error of next: got %v", err)
		}
	})
}

func TestEachCancelled(t *testing.T) {
	inEachMode(t, func(t *testing.T, m Mode) {
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(t.Context())
		var started atomic.Int64
		err := Each(ctx, m, 8, count(1_000_000), func(ctx context.Context, _ int) error {
			if started.Add(1) == 1 {
				cancel(why)
			}
			<-ctx.Done()
			return nil
		})
		if err != why {
			t.Errorf("got %v, want the cause", err)
		}
		if n := started.Load(); n > 8 {
			t.Errorf("%d jobs started", n)
		}
	})
}

func TestEachWorksWhileAnotherWaitsInNext(t *testing.T) {
	inEachMode(t, func(t *testing.T, m Mode) {
		if m == Sequential {
			return // it never waits in next while a job runs
		}
		// The second job comes only when the first is done, as with a queue that the jobs fill.
		firstDone, n := make(chan struct{}), 0
		next := func(ctx context.Context) (int, error) {
			if n++; n == 1 {
				return 1, nil
			}
			select {
			case <-firstDone:
				return 0, io.EOF
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		if err := Each(t.Context(), m, 4, next, func(context.Context, int) error {
			close(firstDone)
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

func TestEachTooManyThreads(t *testing.T) {
	var limit *ThreadLimitError
	err := Each(t.Context(), Threads, 1_000_000, count(1), func(context.Context, int) error { return nil })
	if !errors.As(err, &limit) || limit.Most < 1 || limit.Most > runtimeThreads {
		t.Errorf("got %v", err)
	}
	if err := Each(t.Context(), Async, 1_000_000, count(1), func(context.Context, int) error { return nil }); err != nil {
		t.Error(err)
	}
}

func countThreads(t *testing.T) int {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

func TestModeText(t *testing.T) {
	for _, m := range Modes {
		text, _ := m.MarshalText()
		var back Mode
		if err := back.UnmarshalText(text); err != nil || back != m {
			t.Errorf("%s came back as %v: %v", text, back, err)
		}
	}
	var m Mode
	if err := m.Set("fast"); err == nil || fmt.Sprint(err) != `"fast" is not a mode: use sequential, threads or async` {
		t.Errorf("got %v", err)
	}
}

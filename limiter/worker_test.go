package limiter

import (
	"context"
	"sync"
	"testing"
)

// TestWorkerOf holds each job until all workers have one, so that every worker does.
func TestWorkerOf(t *testing.T) {
	inEachMode(t, func(t *testing.T, m Mode) {
		workers := 4
		if m == Sequential {
			workers = 1
		}
		var mu sync.Mutex
		var all sync.WaitGroup
		all.Add(workers)
		seen := map[Worker]int{}
		err := Each(t.Context(), m, workers, count(workers), func(ctx context.Context, _ int) error {
			all.Done()
			all.Wait()
			w, ok := WorkerOf(ctx)
			if thread := threadID(); !ok || m == Async && w.Thread != 0 || m != Async && w.Thread != thread {
				t.Errorf("worker %+v, %v on thread %d", w, ok, thread)
			}
			under, _ := WorkerOf(SameWorker(context.Background(), ctx))
			if under != w {
				t.Errorf("worker %+v is %+v under another context", w, under)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[Worker{Number: w.Number}]++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for n := range workers {
			if seen[Worker{Number: n}] != 1 {
				t.Errorf("worker %d did %d jobs of %d", n, seen[Worker{Number: n}], workers)
			}
		}
	})
	if _, ok := WorkerOf(SameWorker(t.Context(), t.Context())); ok {
		t.Error("a context without a worker has one")
	}
}

package limiter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// seeds runs a test with many random sources, each in a bubble: there a lost wake-up is a deadlock, which fails.
func seeds(t *testing.T, n uint64, test func(t *testing.T, rnd *rand.Rand)) {
	for seed := range n {
		synctest.Test(t, func(t *testing.T) {
			test(t, rand.New(rand.NewPCG(seed, 0)))
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// TestRateUnderRandomCancellations gives waiters up at random moments, many in the very moment of their grant. Whoever
// stays must be served, in order, and never more than the rate grants.
func TestRateUnderRandomCancellations(t *testing.T) {
	seeds(t, 500, func(t *testing.T, rnd *rand.Rand) {
		const perSecond = 100.0
		r, start := NewRate(perSecond), time.Now()
		var mu sync.Mutex
		var granted int64
		last, lastAt := -1, time.Time{}
		var wg sync.WaitGroup
		for i := range 2 + rnd.IntN(30) {
			n := 1 + rnd.Int64N(20)
			ctx, cancel := context.Background(), context.CancelFunc(func() {})
			if rnd.IntN(2) == 0 {
				// Multiples of the token's time meet grants exactly.
				ctx, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(100))*10*time.Millisecond)
			}
			arrive := time.Duration(i) * time.Duration(rnd.IntN(2)) * time.Millisecond
			wg.Go(func() {
				defer cancel()
				if err := r.Wait(ctx, n); err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				granted += n
				if most := perSecond*(time.Since(start)+burst).Seconds() + 1e-6; float64(granted) > most {
					t.Errorf("%d tokens after %v", granted, time.Since(start))
				}
				// Those who are served at the same moment come here in any order.
				if now := time.Now(); i < last && now.After(lastAt) {
					t.Errorf("waiter %d was served after %d", i, last)
				} else if i > last {
					last, lastAt = i, now
				}
			})
			synctest.Wait()
			time.Sleep(arrive)
		}
		wg.Wait()
		if r.head != nil || r.tail != nil {
			t.Error("the queue is not empty")
		}
	})
}

// TestRateManyCancelAtOnce is about real threads: grants and cancellations that meet.
func TestRateManyCancelAtOnce(t *testing.T) {
	r := NewRate(50_000)
	for round := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(round)*100*time.Microsecond)
		var wg sync.WaitGroup
		var done atomic.Int64
		for i := range 64 {
			waitCtx := ctx
			if i%3 == 0 {
				waitCtx = t.Context() // these stay, and must all be served
			}
			wg.Go(func() {
				if r.Wait(waitCtx, 1) == nil {
					done.Add(1)
				}
			})
		}
		wg.Wait()
		cancel()
		if n := done.Load(); n < 22 {
			t.Fatalf("round %d: %d of the 22 who stayed were served", round, n)
		}
	}
}

func TestSlowestRates(t *testing.T) {
	for _, perSecond := range []float64{1e-3, 1e-9, 1e-10, 1e-300, math.SmallestNonzeroFloat64} {
		t.Run(fmt.Sprint(perSecond), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, now := NewHosts(perSecond, 0), time.Now()
				if _, ok := h.Claim("a", now); !ok {
					t.Fatal("the first start is refused")
				}
				h.Started("a", now)
				h.Release("a", true)
				if at, ok := h.Claim("a", now.Add(time.Minute)); ok || at.Before(now.Add(time.Minute)) {
					t.Errorf("a second start within a minute: %v, %v", at.Sub(now), ok)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := NewRate(perSecond).Wait(ctx, 1); err == nil {
					t.Error("Rate grants a token within a minute")
				}
			})
		})
	}
}

func TestNoRates(t *testing.T) {
	for _, perSecond := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if r := NewRate(perSecond); r != nil {
			t.Errorf("NewRate(%v) limits", perSecond)
		}
		h, now := NewHosts(perSecond, -1), time.Now()
		for range 3 {
			if _, ok := h.Claim("a", now); !ok {
				t.Errorf("NewHosts(%v) limits", perSecond)
			}
			h.Started("a", now)
		}
	}
}

// TestEachUnderRandomFaults lets next and do fail, block and be cancelled at random. Each must come back, with no job
// done twice, none started after the end, and an error if and only if there was one.
func TestEachUnderRandomFaults(t *testing.T) {
	inEachMode(t, func(t *testing.T, m Mode) {
		seeds(t, 200, func(t *testing.T, rnd *rand.Rand) {
			boom, why := errors.New("boom"), errors.New("why")
			jobs, workers := rnd.IntN(40), 1+rnd.IntN(10)
			failNext, failDo := rnd.IntN(60), rnd.IntN(60)
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			if rnd.IntN(3) == 0 {
				timer := time.AfterFunc(time.Duration(rnd.IntN(30))*time.Millisecond, func() { cancel(why) })
				defer timer.Stop()
			}
			delays := make([]time.Duration, 128)
			for i := range delays {
				delays[i] = time.Duration(rnd.IntN(5)) * time.Millisecond
			}
			pause := func(ctx context.Context, i int) error {
				if i%7 == 0 { // deaf to the cancellation
					time.Sleep(delays[i])
					return nil
				}
				select {
				case <-time.After(delays[i]):
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			var running, over atomic.Int64
			n := 0
			next := func(ctx context.Context) (int, error) {
				if running.Add(1) != 1 {
					t.Error("two calls of next at once")
				}
				defer running.Add(-1)
				if err := pause(ctx, n); err != nil {
					return 0, err
				}
				if n == failNext {
					over.Store(1)
					return 0, boom
				}
				if n == jobs {
					return 0, io.EOF
				}
				n++
				return n - 1, nil
			}
			var mu sync.Mutex
			seen := map[int]bool{}
			err := Each(ctx, m, workers, next, func(ctx context.Context, j int) error {
				mu.Lock()
				if seen[j] {
					t.Errorf("job %d was done twice", j)
				}
				seen[j] = true
				mu.Unlock()
				if err := pause(ctx, 64+j); err != nil {
					return err
				}
				if j == failDo {
					over.Store(1)
					return boom
				}
				return nil
			})
			switch {
			case err == nil && (len(seen) != jobs || over.Load() == 1):
				t.Errorf("no error after %d of %d jobs", len(seen), jobs)
			case err == boom && over.Load() == 0, err != nil && err != boom && err != why:
				t.Errorf("got %v", err)
			case err == why && context.Cause(ctx) != why:
				t.Error("cancelled, though nobody did")
			}
		})
	})
}

package limiter

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestRateKeepsItsSchedule(t *testing.T) {
	for _, c := range []struct {
		perSecond float64
		n         int64
		grants    int
	}{
		{0.5, 1, 5},
		{2, 1, 50},
		{100_000, 1, 200_000},
		{1 << 10, 100, 50},        // 1 KiB/s, slices longer than the burst
		{1 << 10, 1, 2000},        // 1 KiB/s, single bytes
		{50 << 20, 1 << 20, 200},  // 50 MiB/s in chunks
		{5 << 30, 1 << 20, 20000}, // 5 GiB/s in chunks
		{5 << 30, 1, 100_000},     // several tokens a nanosecond
		{3, 7, 10},                // neither divides the other
	} {
		t.Run(fmt.Sprintf("%v per second by %d", c.perSecond, c.n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, start := NewRate(c.perSecond), time.Now()
				for k := 1; k <= c.grants; k++ {
					if err := r.Wait(t.Context(), c.n); err != nil {
						t.Fatal(err)
					}
					got := time.Since(start).Seconds()
					want := float64(k) * float64(c.n) / c.perSecond
					if got < want-2e-9 || got > want+max(0.02*want, 0.005) {
						t.Fatalf("grant %d after %vs, want %vs", k, got, want)
					}
				}
			})
		})
	}
}

func TestRateServesInOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, start := NewRate(100), time.Now()
		type grant struct {
			who int
			at  time.Duration
		}
		var mu sync.Mutex
		var got []grant
		var wg sync.WaitGroup
		// The second wants far more than the burst, and the later ones must not slip in before it has it all.
		for i, n := range []int64{10, 300, 1, 1, 50} {
			wg.Go(func() {
				if err := r.Wait(t.Context(), n); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				got = append(got, grant{i, time.Since(start)})
			})
			synctest.Wait()
		}
		wg.Wait()
		want := []grant{{0, 100 * time.Millisecond}, {1, 3100 * time.Millisecond}, {2, 3110 * time.Millisecond},
			{3, 3120 * time.Millisecond}, {4, 3620 * time.Millisecond}}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("grants\n%v, want\n%v", got, want)
		}
	})
}

func TestRateSavesNoMoreThanItsBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRate(1000)
		_ = r.Wait(t.Context(), 1)
		time.Sleep(time.Hour)
		start := time.Now()
		for range 50 {
			_ = r.Wait(t.Context(), 1)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("the saved burst took %v", d)
		}
		_ = r.Wait(t.Context(), 10)
		if d := time.Since(start); d != 10*time.Millisecond {
			t.Errorf("10 tokens after the burst took %v, want 10ms", d)
		}
	})
}

func TestRateStartsWithNothingSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRate(10)
		time.Sleep(time.Minute)
		start := time.Now()
		_ = r.Wait(t.Context(), 1)
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("the first token took %v, want 100ms", d)
		}
	})
}

func TestRateCancelledWaitersTakeNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		cancel []int // in this order; waiters are 0, 1 and 2
	}{
		{"head", []int{0}},
		{"middle", []int{1}},
		{"tail", []int{2}},
		{"head and its heir", []int{0, 1}},
		{"from the tail", []int{2, 1}},
		{"all", []int{1, 0, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, start := NewRate(1), time.Now()
				errs := make([]error, 3)
				var cancels []context.CancelFunc
				var wg sync.WaitGroup
				for i := range 3 {
					ctx, cancel := context.WithCancel(t.Context())
					cancels = append(cancels, cancel)
					wg.Go(func() { errs[i] = r.Wait(ctx, 1) })
					synctest.Wait()
				}
				left := 3
				for _, i := range c.cancel {
					cancels[i]()
					synctest.Wait()
					if errs[i] != context.Canceled {
						t.Errorf("waiter %d: %v", i, errs[i])
					}
					left--
				}
				if d := time.Since(start); d != 0 {
					t.Errorf("cancelling took %v", d)
				}
				if err := r.Wait(t.Context(), 1); err != nil {
					t.Error(err)
				}
				if d, want := time.Since(start), time.Duration(left+1)*time.Second; d != want {
					t.Errorf("the one after them waited %v, want %v", d, want)
				}
				for _, cancel := range cancels {
					cancel()
				}
				wg.Wait()
			})
		})
	}
}

func TestRateNil(t *testing.T) {
	for _, perSecond := range []float64{0, -1, math.Inf(1), math.NaN()} {
		if r := NewRate(perSecond); r != nil {
			t.Errorf("NewRate(%v) is limited", perSecond)
		}
	}
	var r *Rate
	if err := r.Wait(t.Context(), math.MaxInt64); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Wait(ctx, 1); err != context.Canceled {
		t.Errorf("a cancelled wait returned %v", err)
	}
}

func TestRateWaitsThatNeverEndCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRate(1e-12)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := r.Wait(ctx, math.MaxInt64); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
	})
}

func TestRateLeavesNoGoroutines(t *testing.T) {
	before := goleak.IgnoreCurrent()
	r := NewRate(1)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { _ = r.Wait(ctx, 100) })
	}
	cancel()
	wg.Wait()
	goleak.VerifyNone(t, before)
}

func BenchmarkRateUncontended(b *testing.B) {
	r := NewRate(1e9)
	_ = r.Wait(b.Context(), 1)
	b.ReportAllocs()
	for b.Loop() {
		_ = r.Wait(b.Context(), 1)
	}
}

func BenchmarkRateContended(b *testing.B) {
	r, ctx := NewRate(1e9), b.Context()
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i := range 64 {
		n := b.N / 64
		if i < b.N%64 {
			n++
		}
		wg.Go(func() {
			for range n {
				_ = r.Wait(ctx, 1)
			}
		})
	}
	wg.Wait()
}

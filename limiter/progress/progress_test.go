package progress

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTotals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		c.Grow(3, 300)
		c.SetTotalKnown()

		// Two waits that overlap for 1 s, the second of which becomes an operation.
		first := c.BeginWait()
		time.Sleep(time.Second)
		second := c.BeginWait()
		time.Sleep(time.Second)
		first.End()
		time.Sleep(time.Second)
		second.End()
		time.Sleep(time.Hour) // nobody holds a job
		a, b := c.Begin(), c.Begin()
		if s := c.Snapshot(); s.InFlight != 2 {
			t.Errorf("%d in flight, want 2", s.InFlight)
		}
		time.Sleep(100 * time.Millisecond)
		a.End()
		time.Sleep(100 * time.Millisecond)
		b.End()
		c.AddBytes(200)
		c.ItemDone()
		c.ItemFailed("x", errors.New("gone"))
		c.Failed("no item", errors.New("dead"))
		c.ItemSkipped()

		got := c.Totals()
		within := func(d, want time.Duration) bool { return d >= want && d <= want+want/500 }
		if !within(got.Latency.P50, 100*time.Millisecond) || !within(got.Latency.Max, 200*time.Millisecond) {
			t.Errorf("latency %+v", got.Latency)
		}
		got.Latency = Latency{}
		want := Totals{
			Items: 2, ItemsFailed: 1, ItemsSkipped: 1, Bytes: 200,
			Busy: 3200 * time.Millisecond, LimiterWait: 3 * time.Second, InFlightPeak: 2,
			Errors: []ItemError{{"x", "gone"}, {"no item", "dead"}},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("totals (-want +got):\n%s", d)
		}
		wantSnap := Snapshot{
			Elapsed: time.Hour + 3200*time.Millisecond, ItemsTotal: 3, Items: 2, ItemsFailed: 1, ItemsSkipped: 1,
			BytesTotal: 300, Bytes: 200, TotalKnown: true,
		}
		if d := cmp.Diff(wantSnap, c.Snapshot()); d != "" {
			t.Errorf("snapshot (-want +got):\n%s", d)
		}
	})
}

func TestOpenIntervalsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		op := c.Begin()
		defer op.End()
		time.Sleep(time.Second)
		if busy := c.Totals().Busy; busy != time.Second {
			t.Errorf("busy %v while an operation runs, want 1s", busy)
		}
	})
}

func TestLatencyAboveAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		op := c.Begin()
		time.Sleep(3 * time.Hour)
		op.End()
		if got := c.Totals().Latency.Max; got < time.Hour {
			t.Errorf("max %v, want an hour or more", got)
		}
	})
}

func TestErrorsAreBounded(t *testing.T) {
	c := New()
	for i := range 1000 {
		c.ItemFailed(fmt.Sprint(i), errors.New("no"))
	}
	got := c.Totals()
	if len(got.Errors) != maxErrors || got.ItemsFailed != 1000 || got.Errors[0].Item != "0" {
		t.Errorf("%d errors kept of %d, the first of item %s", len(got.Errors), got.ItemsFailed, got.Errors[0].Item)
	}
}

func TestNilCounter(t *testing.T) {
	var c *Counter
	c.Grow(1, 1)
	c.SetTotalKnown()
	c.AddBytes(1)
	c.ItemDone()
	c.ItemSkipped()
	c.ItemFailed("x", errors.New("no"))
	c.Begin().End()
	c.BeginWait().End()
	c.Watch(func(int64, int64) {})
	c.SetWorkers(1)
	if c.Waiting() != 0 || c.Snapshot() != (Snapshot{}) || !cmp.Equal(c.Totals(), Totals{}) {
		t.Error("a nil counter counted")
	}
}

// TestOverlapAgainstSum compares the union with one computed from the sorted intervals.
func TestOverlapAgainstSum(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		const span = 1000
		delta, covered := [span + 1]int{}, [span]bool{}
		for range 1 + rnd.IntN(20) {
			from := rnd.IntN(span)
			to := from + rnd.IntN(min(span-from, 100)+1)
			delta[from]++
			delta[to]--
			for i := from; i < to; i++ {
				covered[i] = true
			}
		}
		var o overlap
		open, want := 0, 0
		for i, d := range delta {
			now := time.Duration(i) * time.Microsecond
			for range max(d, 0) {
				o.enter(now)
			}
			for range max(-d, 0) {
				o.leave(now)
			}
			open += d
			if i < span && covered[i] {
				want++
			}
		}
		if got := o.value(span * time.Microsecond); open != 0 || got != time.Duration(want)*time.Microsecond {
			t.Fatalf("seed %d: %v, want %dus", seed, got, want)
		}
	}
}

// A goroutine may be stopped after it has read the clock: time that was counted is not counted again.
func TestOverlapOfOneThatWasStopped(t *testing.T) {
	var o overlap
	o.enter(10 * time.Millisecond)
	o.leave(20 * time.Millisecond)
	o.enter(5 * time.Millisecond)
	if got := o.value(15 * time.Millisecond); got != 10*time.Millisecond {
		t.Errorf("%v while it is open, want 10ms", got)
	}
	o.leave(30 * time.Millisecond)
	o.enter(28 * time.Millisecond)
	o.leave(25 * time.Millisecond)
	if got := o.value(30 * time.Millisecond); got != 20*time.Millisecond {
		t.Errorf("%v, want 20ms", got)
	}
}

func TestCounterUnderRace(t *testing.T) {
	c := New()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 1000 {
				c.BeginWait().End()
				op := c.Begin()
				c.AddBytes(1)
				_ = c.Snapshot()
				op.End()
				c.ItemDone()
			}
		})
	}
	wg.Wait()
	got := c.Totals()
	if got.Bytes != 16000 || got.Items != 16000 || got.InFlightPeak < 1 || got.InFlightPeak > 16 {
		t.Errorf("totals %+v", got)
	}
	if elapsed := c.Snapshot().Elapsed; got.Busy > elapsed || got.LimiterWait > got.Busy {
		t.Errorf("busy %v, waited %v, of %v", got.Busy, got.LimiterWait, elapsed)
	}
	if s := c.Snapshot(); s.InFlight != 0 {
		t.Errorf("%d in flight at the end", s.InFlight)
	}
}

func BenchmarkOperation(b *testing.B) {
	c := New()
	b.ReportAllocs()
	for b.Loop() {
		c.Begin().End()
	}
}

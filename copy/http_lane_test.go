package copy

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A server that refuses some of many gets fewer at a time, and in the end as many again.
func TestLaneNarrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lane{changed: make(chan struct{})}
		for range 4 {
			_ = l.enter(t.Context())
		}
		if wait, again := l.refused(0, 0, nil); wait != 0 || !again || l.most != 3 {
			t.Fatalf("wait %v, again %t, most %d", wait, again, l.most)
		}
		l.leave(false)
		entered := false
		go func() { entered = l.enter(t.Context()) == nil }()
		synctest.Wait()
		if entered {
			t.Fatal("a fourth went in")
		}
		l.leave(true)
		synctest.Wait()
		if !entered {
			t.Fatal("a third was kept out")
		}
		for range raiseAfter {
			l.leave(true)
			_ = l.enter(t.Context())
		}
		if l.most != 4 {
			t.Errorf("%d at a time after %d good answers", l.most, raiseAfter)
		}
	})
}

// All wait as long as a server asks; who is refused alone too often is told so, and a good answer forgives.
func TestLaneWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lane{changed: make(chan struct{})}
		second := func(n int) time.Duration { return time.Duration(n) * time.Second }
		start := time.Now()
		for i, want := range []int{0, 7, 8, 10} {
			_ = l.enter(t.Context())
			if got := time.Since(start); got != second(want) {
				t.Errorf("attempt %d after %v, want %v", i, got, second(want))
			}
			asked := time.Duration(0)
			if i == 0 {
				asked = 7 * time.Second
			}
			if i == 1 {
				l.strikes = 0
			}
			if _, again := l.refused(asked, 2, second); again != (i < 3) {
				t.Errorf("attempt %d: again %t", i, again)
			}
			l.leave(false)
		}
		_ = l.enter(t.Context())
		l.leave(true)
		_ = l.enter(t.Context())
		if _, again := l.refused(0, 2, second); !again {
			t.Error("a good answer does not forgive")
		}
	})
}

// Who gives up before its turn takes no place.
func TestLaneCancelled(t *testing.T) {
	l := &lane{changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.enter(ctx); err == nil || l.active != 0 {
		t.Errorf("%v, %d active", err, l.active)
	}
}

// Those that get no answer come back one by one; if one that is alone gets none either, it was not the crowd.
func TestLaneLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lane{changed: make(chan struct{})}
		began := time.Now()
		for range 3 {
			_ = l.enter(t.Context())
		}
		lose := func(want bool, most int) {
			t.Helper()
			time.Sleep(time.Second)
			if crowded := l.lost(began); crowded != want || l.most != most {
				t.Errorf("crowded %t, %d at a time", crowded, l.most)
			}
			l.leave(false)
		}
		lose(true, 2)
		lose(true, 1)
		lose(true, 1) // it was not alone all the time
		time.Sleep(time.Second)
		began = time.Now()
		_ = l.enter(t.Context())
		lose(false, 1)
		_ = l.enter(t.Context())
		l.leave(true)
		if l.most != 0 {
			t.Errorf("%d at a time after an answer", l.most)
		}
	})
}

package crawl

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// smallRoom is a room of 100 bytes, of which each share has 10 without asking.
func smallRoom() *room { return &room{size: 100, free: 10, tidy: func(int64) {}} }

// mustTake takes n bytes, which must take so long.
func mustTake(t *testing.T, s *share, n int64, want time.Duration) {
	t.Helper()
	if waited, err := s.take(t.Context(), n); err != nil || waited != want {
		t.Errorf("took %d bytes after %v, want %v: %v", n, waited, want, err)
	}
}

func TestRoomIsForLargePages(t *testing.T) {
	r := smallRoom()
	a, b := share{room: r}, share{room: r}
	mustTake(t, &a, 10, 0)
	if r.used != 0 {
		t.Errorf("%d bytes of the room are used for a small page", r.used)
	}
	mustTake(t, &a, 5, 0)
	mustTake(t, &b, 105, 0)
	if r.used != 100 {
		t.Errorf("%d bytes are used, want 5 and 95", r.used)
	}
	a.give(7)
	b.giveAll()
	if r.used != 0 {
		t.Errorf("%d bytes are still used", r.used)
	}
	a.giveAll()
	var none share
	mustTake(t, &none, 1<<40, 0)
	none.giveAll()
}

// TestRoomIsTakenInTurn has a page that fills the room, one that goes beyond it, and others that wait.
func TestRoomIsTakenInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := smallRoom()
		holder, beyond := share{room: r}, share{room: r}
		mustTake(t, &holder, 100, 0)
		mustTake(t, &beyond, 5000, 0)
		mustTake(t, &beyond, 5000, 0)
		var wg sync.WaitGroup
		for _, w := range []struct {
			n    int64
			want time.Duration
		}{
			{1000, time.Minute},                 // when nobody else is beyond the room
			{15, time.Minute + time.Second},     // it would fit at once, but came later
			{1000, time.Minute + time.Second},   // with that: the first is gone
			{1000, time.Minute + 2*time.Second}, // when the one before is
		} {
			wg.Go(func() {
				s := share{room: r}
				mustTake(t, &s, w.n, w.want)
				time.Sleep(time.Second)
				s.giveAll()
			})
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		beyond.giveAll()
		wg.Wait()
		if r.used != 90 {
			t.Errorf("%d bytes are used, want 90", r.used)
		}
	})
}

// TestRoomOfOneWhoGivesUp ends the wait of one, in front of another that would fit.
func TestRoomOfOneWhoGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := smallRoom()
		why := errors.New("no time")
		holder, beyond, small := share{room: r}, share{room: r}, share{room: r}
		mustTake(t, &holder, 80, 0)
		mustTake(t, &beyond, 60, 0)
		beyond.give(25) // it keeps its right
		ctx, cancel := context.WithCancelCause(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			s := share{room: r}
			if waited, err := s.take(ctx, 1000); waited != time.Second || err != why {
				t.Errorf("after %v: %v", waited, err)
			}
			s.giveAll()
		})
		synctest.Wait()
		wg.Go(func() { mustTake(t, &small, 15, time.Second) })
		synctest.Wait()
		time.Sleep(time.Second)
		cancel(why)
		wg.Wait()
		if r.used != 70+25+5 || len(r.waiting) != 0 {
			t.Errorf("%d bytes are used, %d wait", r.used, len(r.waiting))
		}
	})
}

// TestRoomUnderRandomPages has pages that grow by random steps, some of which give up. In a bubble a page that nobody
// wakes is a deadlock, which fails.
func TestRoomUnderRandomPages(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			r := smallRoom()
			var wg sync.WaitGroup
			for worker := range uint64(20) {
				rnd := rand.New(rand.NewPCG(seed, worker))
				wg.Go(func() {
					for range 10 {
						randomPage(t, r, rnd)
					}
				})
			}
			wg.Wait()
			if r.used != 0 || r.beyond != nil || len(r.waiting) != 0 {
				t.Errorf("seed %d: %d bytes are used, %d wait", seed, r.used, len(r.waiting))
			}
		})
		if t.Failed() {
			return
		}
	}
}

// largestPage is what a page of randomPage takes at most.
const largestPage = 8 * 60

func randomPage(t *testing.T, r *room, rnd *rand.Rand) {
	ctx, cancel := t.Context(), func() {}
	if rnd.IntN(3) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(50))*time.Millisecond)
	}
	defer cancel()
	s := share{room: r}
	defer s.giveAll()
	for range rnd.IntN(8) {
		if _, err := s.take(ctx, int64(rnd.IntN(60))); err != nil {
			return
		}
		r.mu.Lock()
		if r.used > r.size && r.beyond == nil || r.used > r.size+largestPage {
			t.Errorf("%d bytes are used", r.used)
		}
		r.mu.Unlock()
		time.Sleep(time.Duration(rnd.IntN(5)) * time.Millisecond)
		if rnd.IntN(3) == 0 {
			s.give(int64(rnd.IntN(int(s.need) + 1)))
		}
	}
}

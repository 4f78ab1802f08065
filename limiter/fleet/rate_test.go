package fleet

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter/redistest"
)

// drift is by how much a clock may be faster than another while it is being set right (adjtimex(2): 500 ppm).
const drift = 1.001

// Workers of a job, one of which dies with what it has drawn, never have more than the rate; another name is another
// rate. How much less they may have is for tests whose time is not the machine's.
func testSharedRate(t *testing.T, url string) {
	const perSecond = 2000.0
	before := sinceBoot()
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	var jobs []*Job
	for range 3 {
		jobs = append(jobs, join(t, url, Options{}))
	}
	var used, others atomic.Int64
	var wg sync.WaitGroup
	for i, j := range jobs {
		all, other := j.Rate("all", perSecond), j.Rate("other", perSecond)
		for range 8 {
			wg.Go(func() {
				for all.Wait(ctx, 1) == nil {
					used.Add(1)
				}
			})
		}
		wg.Go(func() {
			for other.Wait(ctx, 10) == nil {
				others.Add(10)
			}
		})
		if i == 0 {
			time.AfterFunc(300*time.Millisecond, j.stop)
		}
	}
	wg.Wait()
	most := perSecond*(sinceBoot()-before).Seconds()*drift + 1
	for _, n := range []int64{used.Load(), others.Load()} {
		if n == 0 || float64(n) > most {
			t.Errorf("%d tokens, the rate allows %.0f", n, most)
		}
	}
}

// A worker that left is given nothing more, and one that waits for an answer is told.
func TestSharedRateOfOneWhoLeft(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{})
	if r := j.Rate("none", 0); r != nil {
		t.Errorf("a rate of nothing limits: %v", r)
	}
	s.Stop(t)
	waits := make(chan error, 1)
	go func() { waits <- j.Rate("all", 1000).Wait(t.Context(), 1) }()
	<-time.After(20 * time.Millisecond)
	j.die()
	if err := <-waits; !errors.Is(err, errLeft) {
		t.Errorf("who waited got %v", err)
	}
	if err := j.Rate("other", 1000).Wait(t.Context(), 1); !errors.Is(err, errLeft) {
		t.Errorf("who came later got %v", err)
	}
	s.Continue(t)
}

// While Redis is away nothing is granted; then it goes on, and at the end of the worker's patience there is an error.
func TestSharedRateWithoutRedis(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	j := join(t, s.URL, Options{Patience: time.Minute})
	r := j.Rate("all", 1000)
	before := sinceBoot()
	n := int64(0)
	wait := func() {
		t.Helper()
		if err := r.Wait(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		if n += 10; float64(n) > 1000*(sinceBoot()-before).Seconds()*drift+1 {
			t.Fatalf("%d tokens after %v", n, sinceBoot()-before)
		}
	}
	for range 20 {
		wait()
	}
	s.Kill(t)
	back := time.AfterFunc(300*time.Millisecond, func() { s.Restart(t) })
	for range 60 {
		wait()
	}
	if back.Stop() {
		t.Error("600 tokens before Redis was back")
	}

	hasty := join(t, s.URL, Options{Patience: 200 * time.Millisecond})
	s.Kill(t)
	_ = wantError[*UnreachableError](t, hasty.Rate("all", 1000).Wait(t.Context(), 1))
	s.Restart(t)
}

// What is drawn is granted by a server that is full, and nothing of it stays when the job has gone.
func TestSharedRateOnAFullServer(t *testing.T) {
	s := redistest.Start(t)
	j := join(t, s.URL, Options{})
	r := j.Rate("all", 100)
	for _, limit := range []string{"1", "0"} {
		if reply, err := s.Do("CONFIG", "SET", "maxmemory", limit); err != nil || reply != "OK" {
			t.Fatal(reply, err)
		}
		if err := r.Wait(t.Context(), 5); err != nil {
			t.Error(err)
		}
	}
	if err := j.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(t.Context(), 1e9); !errors.Is(err, ErrGone) {
		t.Errorf("got %v of a job that was deleted", err)
	}
	if reply, err := s.Do("KEYS", "*"); err != nil || reply != "" {
		t.Errorf("left: %q, %v", reply, err)
	}
}

// What is given back goes to who asks next, in its place of the schedule, as long as that is not past.
func TestGivenBackIsDrawnAgain(t *testing.T) {
	j := join(t, redistest.Start(t).URL, Options{})
	draw := func(name string, perSecond float64, n int64) grant {
		t.Helper()
		g, err := j.draw(t.Context(), name, perSecond, n, n)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	const period = 100 * time.Second
	const slow = float64(time.Second) / float64(period)
	first := draw("slow", slow, 3)
	second := draw("slow", slow, 3)
	third := draw("slow", slow, 1)
	j.giveBack(t.Context(), "slow", slow, []grant{second, third})
	for i, want := range []struct {
		ask, n int64
		place  int64 // in periods from the first on
	}{{2, 2, 3}, {9, 1, 5}, {1, 1, 6}, {2, 2, 7}, {1, 1, 9}} {
		g := draw("slow", slow, want.ask)
		begin := first.begin + time.Duration(want.place)*period
		if d := (g.begin - begin).Abs(); g.n != want.n || d > 10*time.Microsecond {
			t.Errorf("draw %d: %d tokens, %v from place %d", i, g.n, g.begin-begin, want.place)
		}
	}
	late := draw("fast", 1000, 5)
	<-time.After(60 * time.Millisecond)
	j.giveBack(t.Context(), "fast", 1000, []grant{late, {begin: late.begin + time.Hour, n: 2}})
	if g := draw("fast", 1000, 5); g.n != 2 || g.begin < late.begin+time.Hour {
		t.Errorf("%d tokens of %v ago", g.n, g.now-g.begin)
	}
}

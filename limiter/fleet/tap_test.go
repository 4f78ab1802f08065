package fleet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"pace/limiter"
)

// schedule is what rate.lua keeps, in the time of a bubble.
type schedule struct {
	perSecond float64
	start     time.Time
	step      time.Duration // by which its clock was set forth

	mu      sync.Mutex
	due     time.Duration
	begun   bool
	askers  map[int]time.Duration
	asked   int
	granted int64
	fail    error
	back    []grant
	dead    map[int]bool // workers of which nothing is heard any more
	// What follows keeps answers on the way, in both directions; nil is no time at all.
	travel func() time.Duration
}

// newSchedule returns a schedule whose bubble waits at its end for what is on its way.
func newSchedule(t *testing.T, perSecond float64) *schedule {
	t.Cleanup(func() { time.Sleep(time.Hour) })
	return &schedule{perSecond: perSecond, start: time.Now(), askers: map[int]time.Duration{}, dead: map[int]bool{}}
}

func (s *schedule) clock() time.Duration { return time.Since(s.start) }

func (s *schedule) draw(worker int, want, own int64) grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock() + s.step
	s.askers[worker] = now
	askers := 0
	for _, at := range s.askers {
		if at >= now-time.Second {
			askers++
		}
	}
	n := min(want, max(1, own, int64(s.perSecond*drawAhead.Seconds()/float64(askers))))
	s.asked++
	for len(s.back) > 0 {
		g := &s.back[0]
		late := max(0, int64(math.Ceil((now-drawLate-g.begin).Seconds()*s.perSecond))-1)
		if late >= g.n {
			s.back = s.back[1:]
			continue
		}
		n = min(n, g.n-late)
		begin := g.begin + s.period(late)
		g.begin, g.n = begin+s.period(n), g.n-late-n
		s.granted += n
		return grant{n: n, begin: begin, now: now}
	}
	begin := now
	if s.begun {
		begin = max(s.due, now-drawLate)
	}
	s.begun = true
	s.due = begin + s.period(n)
	s.granted += n
	return grant{n: n, begin: begin, now: now}
}

func (s *schedule) period(n int64) time.Duration {
	return time.Duration(math.Ceil(float64(n) * float64(time.Second) / s.perSecond))
}

// rate returns a worker's end of the schedule.
func (s *schedule) rate(worker int) *limiter.Rate {
	t := newTap(s.perSecond, s.clock, func(do func(context.Context)) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.dead[worker] {
			return errLeft
		}
		go do(context.Background())
		return nil
	}, func(_ context.Context, want, own int64) (grant, error) {
		s.mu.Lock()
		travel, fail := s.travel, s.fail
		s.mu.Unlock()
		if fail != nil {
			return grant{}, fail
		}
		sent := s.clock()
		if travel != nil {
			time.Sleep(travel())
		}
		g := s.draw(worker, want, own)
		if travel != nil {
			time.Sleep(travel())
		}
		g.sent, g.came = sent, s.clock()
		return g, nil
	}, func(_ context.Context, back []grant) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked++
		s.back = append(s.back, back...)
		for _, g := range back {
			s.granted -= g.n
		}
	})
	return limiter.NewSupplied(s.perSecond, t.take)
}

// uses are what all workers were granted.
type uses struct {
	mu  sync.Mutex
	all []use
}

type use struct {
	at     time.Duration
	n      int64
	worker int
}

func (u *uses) add(at time.Duration, n int64, worker int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all = append(u.all, use{at, n, worker})
}

// total returns how much was used from one time to another, by one worker or, if that is negative, by all.
func (u *uses) total(from, to time.Duration, worker int) (n int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, one := range u.all {
		if one.at > from && one.at <= to && (worker < 0 || worker == one.worker) {
			n += one.n
		}
	}
	return n
}

// excess returns by how much the uses in some time, whichever it is, are more than perSecond allows in that time. What
// the first of them took was due before.
func (u *uses) excess(perSecond float64) (most float64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	sum, low := 0.0, math.Inf(1)
	for _, one := range u.all {
		sum += float64(one.n)
		here := sum - perSecond*one.at.Seconds()
		low = min(low, here)
		most = max(most, here-low)
	}
	return most
}

// drain takes n tokens again and again until ctx ends, with a pause after each.
func (u *uses) drain(ctx context.Context, s *schedule, r *limiter.Rate, worker int, n int64, pause func() time.Duration) {
	for r.Wait(ctx, n) == nil {
		u.add(s.clock(), n, worker)
		if pause != nil {
			time.Sleep(pause())
		}
	}
}

func always(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

func TestSharedRateIsWhatRateIs(t *testing.T) {
	for _, c := range []struct {
		perSecond float64
		n         int64
		grants    int
	}{
		{0.5, 1, 5},
		{2, 1, 50},
		{100_000, 1, 50_000},
		{1 << 10, 100, 50},       // slices longer than what is drawn ahead
		{50 << 20, 1 << 20, 200}, // 50 MiB/s in chunks
		{5 << 30, 1 << 20, 5000},
		{3, 7, 10},
	} {
		t.Run(fmt.Sprintf("%v per second by %d", c.perSecond, c.n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSchedule(t, c.perSecond)
				r := s.rate(0)
				for k := 1; k <= c.grants; k++ {
					if err := r.Wait(t.Context(), c.n); err != nil {
						t.Fatal(err)
					}
					got, want := s.clock().Seconds(), float64(k)*float64(c.n)/c.perSecond
					if got < want-2e-9*float64(k) || got > want+max(0.02*want, 0.005) {
						t.Fatalf("grant %d after %vs, want %vs", k, got, want)
					}
				}
			})
		})
	}
}

func TestSharedRateServesInOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchedule(t, 100)
		r := s.rate(0)
		var u uses
		var wg sync.WaitGroup
		for i, n := range []int64{10, 300, 1, 1, 50} {
			wg.Go(func() {
				if err := r.Wait(t.Context(), n); err != nil {
					t.Error(err)
				}
				u.add(s.clock().Round(time.Millisecond), n, i)
			})
			synctest.Wait()
		}
		wg.Wait()
		want := []use{{100 * time.Millisecond, 10, 0}, {3100 * time.Millisecond, 300, 1}, {3110 * time.Millisecond, 1, 2},
			{3120 * time.Millisecond, 1, 3}, {3620 * time.Millisecond, 50, 4}}
		if !slices.Equal(u.all, want) {
			t.Errorf("grants %v, want %v", u.all, want)
		}
	})
}

func TestSharedRateIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchedule(t, 1)
		r := s.rate(0)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := r.Wait(ctx, 1); err != context.DeadlineExceeded || s.clock() != 300*time.Millisecond {
					t.Errorf("%v after %v", err, s.clock())
				}
			})
		}
		wg.Wait()
		if err := r.Wait(t.Context(), 1); err != nil || s.clock() != time.Second {
			t.Errorf("the next had its token after %v, %v", s.clock(), err)
		}
	})
}

// A pause of the worker, or of the server, saves up no more than the burst of a rate.
func TestSharedRateSavesNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		pause func(s *schedule)
	}{
		{"nobody wants anything", func(*schedule) { time.Sleep(time.Minute) }},
		{"the answer was long on its way", func(s *schedule) {
			travel := func(f func() time.Duration) {
				s.mu.Lock()
				s.travel = f
				s.mu.Unlock()
			}
			travel(always(10 * time.Second))
			time.Sleep(15 * time.Second)
			travel(always(time.Millisecond))
			time.Sleep(5 * time.Second)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSchedule(t, 1000)
				s.travel = always(time.Millisecond)
				r, other := s.rate(0), s.rate(1)
				ctx, cancel := context.WithCancel(t.Context())
				var u uses
				var wg sync.WaitGroup
				wg.Go(func() { u.drain(ctx, s, other, 1, 1, nil) })
				warm, end := context.WithTimeout(ctx, 3*time.Second)
				u.drain(warm, s, r, 0, 1, nil)
				end()
				c.pause(s)
				more, end := context.WithTimeout(ctx, 3*time.Second)
				u.drain(more, s, r, 0, 1, nil)
				end()
				cancel()
				wg.Wait()
				if got := u.excess(1000); got > 1000*tokenLasts.Seconds()+10 {
					t.Errorf("%v tokens too much at once", got)
				}
			})
		})
	}
}

// Whatever some want, all together have what the rate gives, as long as one always wants more; and never above it.
func TestWorkersShareARate(t *testing.T) {
	type worker struct {
		n     int64
		tasks int                       // at once; 0 is one
		pause func(i int) time.Duration // after the i-th use
	}
	hungry := worker{n: 1}
	few := worker{n: 1, pause: func(int) time.Duration { return 90 * time.Millisecond }}
	bursts := func(n int, rest time.Duration) worker {
		return worker{n: 1, pause: func(i int) time.Duration {
			if i%n == n-1 {
				return rest
			}
			return 0
		}}
	}
	repeat := func(w worker, n int) []worker { return slices.Repeat([]worker{w}, n) }
	const mib = 1 << 20
	for _, c := range []struct {
		name      string
		perSecond float64
		workers   []worker
		fair      int     // so many of the first are alike, and have alike
		asks      float64 // most a second
	}{
		{"one", 1000, repeat(hungry, 1), 0, 20},
		{"three alike", 1000, repeat(hungry, 3), 3, 60},
		{"three with many tasks", 10_000, repeat(worker{n: 1, tasks: 64}, 3), 3, 60},
		{"three that copy", 50 * mib, repeat(worker{n: mib, tasks: 4}, 3), 3, 70},
		{"large and small", 50 * mib, []worker{{n: 64 * mib, tasks: 2}, {n: 4096}}, 0, 50},
		{"slow", 3, repeat(hungry, 3), 3, 4},
		{"twenty", 20_000, repeat(hungry, 20), 20, 400},
		{"many who want little", 1000, append(repeat(hungry, 1), repeat(few, 20)...), 0, 350},
		{"two, and one in bursts", 1000, append(repeat(hungry, 2), bursts(100, 2*time.Second)), 2, 60},
		{"one, and ten in bursts", 5000, append(repeat(hungry, 1), repeat(bursts(40, 400*time.Millisecond), 10)...), 0, 700},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSchedule(t, c.perSecond)
				s.travel = always(500 * time.Microsecond)
				ctx, cancel := context.WithCancel(t.Context())
				var u uses
				var wg sync.WaitGroup
				largest := int64(0)
				for i, w := range c.workers {
					r := s.rate(i)
					largest = max(largest, w.n)
					for range max(1, w.tasks) {
						k := 0
						wg.Go(func() {
							u.drain(ctx, s, r, i, w.n, func() time.Duration {
								k++
								if w.pause == nil {
									return 0
								}
								return w.pause(k - 1)
							})
						})
					}
				}
				const run = 30 * time.Second
				time.Sleep(run)
				cancel()
				wg.Wait()
				got, most := float64(u.total(0, run, -1)), c.perSecond*run.Seconds()
				// Each may be in the midst of a large take at the end.
				if got > most || got < 0.97*most-float64(largest)*float64(len(c.workers)) {
					t.Errorf("%.0f tokens, the rate allows %.0f", got, most)
				}
				if got := u.excess(c.perSecond); got > c.perSecond*(tokenLasts.Seconds()+0.002)+float64(largest*int64(len(c.workers))) {
					t.Errorf("%.0f tokens too much at once", got)
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				if got := float64(s.asked) / run.Seconds(); got > c.asks {
					t.Errorf("asks %.1f times a second, of which %.0f were expected", got, c.asks)
				}
				for i := range c.fair {
					first, other := u.total(5*time.Second, run, 0), u.total(5*time.Second, run, i)
					if r := float64(other) / float64(first); r < 0.6 || r > 1.67 { // over 25 s who came first still shows
						t.Errorf("worker %d had %d, the first %d", i, other, first)
					}
				}
			})
		})
	}
}

// A worker that dies loses what it has drawn, and no more than that.
func TestDeadWorkerLosesASlice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond = 10_000
		s := newSchedule(t, perSecond)
		s.travel = always(time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		dying, die := context.WithCancel(ctx)
		var u uses
		var wg sync.WaitGroup
		for i := range 3 {
			of := ctx
			if i == 0 {
				of = dying
			}
			wg.Go(func() { u.drain(of, s, s.rate(i), i, 1, nil) })
		}
		time.Sleep(5 * time.Second)
		s.mu.Lock()
		s.dead[0] = true
		s.mu.Unlock()
		die()
		time.Sleep(5 * time.Second)
		cancel()
		wg.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if lost := s.granted - u.total(0, time.Hour, -1); lost > int64(perSecond*2*drawAhead.Seconds()) {
			t.Errorf("%d tokens were never used", lost)
		}
		if got, most := u.total(5*time.Second, 10*time.Second, -1), 5.0*perSecond; float64(got) < 0.97*most {
			t.Errorf("the others had %d of %.0f", got, most)
		}
	})
}

// While the server says nothing, nobody has anything; its error comes to who waits, and is not the last word.
func TestSharedRateFailsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchedule(t, 1000)
		r := s.rate(0)
		boom := errors.New("boom")
		s.fail = boom
		for range 3 {
			if err := r.Wait(t.Context(), 1); err != boom {
				t.Fatalf("got %v", err)
			}
		}
		s.fail = nil
		if err := r.Wait(t.Context(), 1); err != nil || s.clock() != time.Millisecond {
			t.Errorf("%v after %v", err, s.clock())
		}
		s.travel = always(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		had := 0
		for r.Wait(ctx, 1) == nil {
			had++
		}
		if had > int(1000*drawAhead.Seconds()) {
			t.Errorf("%d without an answer", had)
		}
	})
}

// The server's clock may be set; then some tokens are lost or late, and the rate goes on.
func TestServersClockIsSet(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -100 * time.Millisecond} {
		t.Run(step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSchedule(t, 1000)
				s.travel = always(time.Millisecond)
				ctx, cancel := context.WithCancel(t.Context())
				var u uses
				var wg sync.WaitGroup
				for i := range 2 {
					wg.Go(func() { u.drain(ctx, s, s.rate(i), i, 1, nil) })
				}
				time.Sleep(3 * time.Second)
				s.mu.Lock()
				s.step = step
				s.mu.Unlock()
				time.Sleep(3 * time.Second)
				cancel()
				wg.Wait()
				if got := u.total(4*time.Second, 6*time.Second, -1); got < 1900 || got > 2050 {
					t.Errorf("%d tokens in the last 2 s", got)
				}
			})
		})
	}
}

// Workers that want anything at any time, are cancelled and die: never more than the rate.
func TestRandomDemand(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		perSecond := rapid.Float64Range(1, 20_000).Draw(rt, "perSecond")
		travel := time.Duration(rapid.IntRange(0, 40).Draw(rt, "travel")) * time.Millisecond
		type step struct {
			n            int64
			pause, limit time.Duration
		}
		steps := rapid.Custom(func(rt *rapid.T) step {
			return step{
				n:     rapid.Int64Range(1, 1+int64(perSecond/4)).Draw(rt, "n"),
				pause: time.Duration(rapid.IntRange(0, 300).Draw(rt, "pause")) * time.Millisecond,
				limit: time.Duration(rapid.IntRange(0, 2000).Draw(rt, "limit")) * time.Millisecond,
			}
		})
		plans := rapid.SliceOfN(rapid.SliceOfN(steps, 1, 30), 1, 5).Draw(rt, "plans")
		synctest.Test(t, func(t *testing.T) {
			s := newSchedule(t, perSecond)
			s.travel = always(travel)
			var u uses
			var wg sync.WaitGroup
			for i, plan := range plans {
				r := s.rate(i)
				wg.Go(func() {
					for _, step := range plan {
						ctx, cancel := context.WithTimeout(t.Context(), step.limit)
						if r.Wait(ctx, step.n) == nil {
							u.add(s.clock(), step.n, i)
						}
						cancel()
						time.Sleep(step.pause)
					}
				})
			}
			wg.Wait()
			sum := int64(0)
			for _, one := range u.all {
				sum += one.n
				if most := perSecond*one.at.Seconds() + 1e-3; float64(sum) > most {
					rt.Errorf("%d tokens after %v, the rate allows %v", sum, one.at, most)
					return
				}
			}
		})
	})
}

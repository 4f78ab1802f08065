package limiter

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// server is what workers of a simulation wait for: some time that costs the server nothing, and some in which it answers
// no more requests than it has places.
type server struct {
	latency func() time.Duration
	service time.Duration

	mu     sync.Mutex
	places int
	taken  int
	queue  []chan struct{}
}

func always(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// spread returns latencies of which a twentieth is ten times as long as the rest.
func spread(d time.Duration) func() time.Duration {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(20) == 0 {
			return 10 * d
		}
		return d/2 + time.Duration(random.Int64N(int64(d)))
	}
}

func (s *server) request() {
	time.Sleep(s.away())
	if s.enter(); s.service > 0 {
		time.Sleep(s.service)
	}
	s.leave()
	time.Sleep(s.away())
}

func (s *server) enter() {
	s.mu.Lock()
	if s.taken < s.places {
		s.taken++
		s.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	s.queue = append(s.queue, turn)
	s.mu.Unlock()
	<-turn
}

func (s *server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	s.admit()
}

func (s *server) admit() {
	for len(s.queue) > 0 && s.taken < s.places {
		s.taken++
		close(s.queue[0])
		s.queue = s.queue[1:]
	}
}

// delay makes the latency so long.
func (s *server) delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = always(d)
}

func (s *server) away() time.Duration {
	s.mu.Lock()
	latency := s.latency
	s.mu.Unlock()
	return latency() / 2
}

func (s *server) resize(places int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places = places
	s.admit()
}

// simulation is workers that ask a server, as many as a Tuner wants.
type simulation struct {
	mode   Mode
	most   int
	server *server
	rate   *Rate // that each job waits for

	tuner   *Tuner
	began   time.Time
	waiting atomic.Int64

	mu    sync.Mutex
	times []time.Duration // of answers
}

// run lets them work for so long.
func (s *simulation) run(t *testing.T, d time.Duration) {
	s.began = time.Now()
	s.tuner = NewTuner(Tuning{Start: 4, Most: s.most, Waiting: func() int { return int(s.waiting.Load()) }})
	defer s.tuner.Stop()
	n := 0
	next := func(context.Context) (int, error) {
		if time.Since(s.began) > d {
			return 0, io.EOF
		}
		n++
		return n, nil
	}
	if err := EachOf(t.Context(), s.mode, s.tuner.Workers(), next, s.do); err != nil {
		t.Error(err)
	}
	for _, step := range s.tuner.Steps() {
		t.Log(step.After, step.Workers)
	}
}

func (s *simulation) do(ctx context.Context, n int) error {
	s.waiting.Add(1)
	err := s.rate.Wait(ctx, 1)
	s.waiting.Add(-1)
	start := time.Now()
	s.server.request()
	s.mu.Lock()
	s.times = append(s.times, time.Since(s.began))
	s.mu.Unlock()
	s.tuner.Done(1, time.Since(start))
	return err
}

// perSecond is how many answers there were in a second of that time.
func (s *simulation) perSecond(from, to time.Duration) float64 {
	n := 0
	for _, at := range s.times {
		if at >= from && at < to {
			n++
		}
	}
	return float64(n) / (to - from).Seconds()
}

// atMost is the most workers there were.
func (s *simulation) atMost() int {
	most := 0
	for _, step := range s.tuner.Steps() {
		most = max(most, step.Workers)
	}
	return most
}

func inSimulation(t *testing.T, test func(t *testing.T, m Mode)) {
	for _, m := range workersModes {
		t.Run(m.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, m) })
		})
	}
}

const (
	ms = time.Millisecond
	s1 = time.Second
)

// TestTunerFindsTheTop has servers of which the best that fixed numbers of workers can get of them is known.
func TestTunerFindsTheTop(t *testing.T) {
	for name, tt := range map[string]struct {
		server    func() *server
		most      int
		best      float64 // answers a second
		low, high int     // where it may settle
	}{
		"32 places":   {func() *server { return &server{latency: always(100 * ms), service: 20 * ms, places: 32} }, 256, 1600, 170, 256},
		"8 places":    {func() *server { return &server{latency: always(100 * ms), service: 20 * ms, places: 8} }, 256, 400, 42, 128},
		"long tail":   {func() *server { return &server{latency: spread(100 * ms), service: 20 * ms, places: 8} }, 64, 370, 40, 64},
		"no end":      {func() *server { return &server{latency: always(100 * ms), places: 1e6} }, 64, 640, 50, 64},
		"five places": {func() *server { return &server{latency: always(ms), service: 20 * ms, places: 5} }, 256, 250, 5, 32},
	} {
		t.Run(name, func(t *testing.T) {
			inSimulation(t, func(t *testing.T, m Mode) {
				s := &simulation{mode: m, most: tt.most, server: tt.server()}
				s.run(t, 12*s1)
				if got := s.perSecond(3*s1, 12*s1); got < 0.9*tt.best {
					t.Errorf("%.0f a second after three seconds, the best is %.0f", got, tt.best)
				}
				if got := s.perSecond(0, 12*s1); got < 0.8*tt.best {
					t.Errorf("%.0f a second in all, the best is %.0f", got, tt.best)
				}
				if n := s.tuner.Settled(); n < tt.low || n > tt.high {
					t.Errorf("settled at %d workers, want %d to %d", n, tt.low, tt.high)
				}
			})
		})
	}
}

func TestTunerLeavesASingleConnectionAlone(t *testing.T) {
	for name, latency := range map[string]time.Duration{"near": 0, "far": 10 * ms} {
		t.Run(name, func(t *testing.T) {
			inSimulation(t, func(t *testing.T, m Mode) {
				s := &simulation{mode: m, most: 256, server: &server{latency: always(latency), service: 20 * ms, places: 1}}
				s.run(t, 20*s1)
				if s.atMost() > 4 {
					t.Errorf("%d workers, want no more than 4", s.atMost())
				}
				if got := s.perSecond(0, 20*s1); got < 45 {
					t.Errorf("%.0f a second, want 50", got)
				}
			})
		})
	}
}

func TestTunerFollows(t *testing.T) {
	for name, tt := range map[string]struct {
		places  int
		change  func(*server)
		best    float64
		in      time.Duration
		highest int
	}{
		"more places":  {2, func(s *server) { s.resize(8) }, 400, 5 * s1, 128},
		"fewer places": {8, func(s *server) { s.resize(2) }, 100, 15 * s1, 40},
		"farther":      {2, func(s *server) { s.delay(400 * ms) }, 100, 10 * s1, 128},
	} {
		t.Run(name, func(t *testing.T) {
			inSimulation(t, func(t *testing.T, m Mode) {
				server := &server{latency: always(100 * ms), service: 20 * ms, places: tt.places}
				s := &simulation{mode: m, most: 256, server: server}
				time.AfterFunc(10*s1, func() { tt.change(server) })
				s.run(t, 40*s1)
				if got := s.perSecond(10*s1+tt.in, 40*s1); got < 0.9*tt.best {
					t.Errorf("%.0f a second %v after the change, the best is %.0f", got, tt.in, tt.best)
				}
				if n := s.tuner.Settled(); n > tt.highest {
					t.Errorf("settled at %d workers, want no more than %d", n, tt.highest)
				}
			})
		})
	}
}

// TestTunerIsBoundByLimits has many places, and a rate that a few workers use up.
func TestTunerIsBoundByLimits(t *testing.T) {
	for _, perSecond := range []float64{10, 100} {
		inSimulation(t, func(t *testing.T, m Mode) {
			s := &simulation{
				mode: m, most: 256, rate: NewRate(perSecond), server: &server{latency: always(100 * ms), places: 1e6},
			}
			s.run(t, 20*s1)
			if s.atMost() > 32 {
				t.Errorf("%d workers, and a tenth of %.0f is enough", s.atMost(), perSecond)
			}
			if got := s.perSecond(0, 20*s1); got < 0.9*perSecond {
				t.Errorf("%.1f a second, the rate is %.0f", got, perSecond)
			}
		})
	}
}

// TestTunerFewJobs has no time to measure anything.
func TestTunerFewJobs(t *testing.T) {
	inSimulation(t, func(t *testing.T, m Mode) {
		tuner := NewTuner(Tuning{Start: 4, Most: 256})
		defer tuner.Stop()
		start := time.Now()
		err := EachOf(t.Context(), m, tuner.Workers(), count(12), func(context.Context, int) error {
			time.Sleep(100 * ms)
			tuner.Done(1, 100*ms)
			return nil
		})
		if took := time.Since(start); err != nil || took > 300*ms {
			t.Errorf("12 jobs of 100 ms took %v: %v", took, err)
		}
	})
}

// TestTunerStandstill has a server that serves one connection until that is closed. Its worker must not be the one that is
// one too many: the others would wait for ever.
func TestTunerStandstill(t *testing.T) {
	inSimulation(t, func(t *testing.T, m Mode) {
		tuner := NewTuner(Tuning{Start: 4, Most: 256})
		defer tuner.Stop()
		var idle atomic.Bool // the connection is kept for whoever comes next
		idle.Store(true)
		var served atomic.Int64
		start := time.Now()
		closed := make(chan struct{})
		err := EachOf(t.Context(), m, tuner.Workers(), count(1003), func(context.Context, int) error {
			if !idle.CompareAndSwap(true, false) {
				<-closed
				return nil
			}
			time.Sleep(10 * ms)
			tuner.Done(1, 10*ms)
			idle.Store(true)
			if served.Add(1) == 1000 {
				close(closed)
			}
			return nil
		})
		if took := time.Since(start); err != nil || took > 20*s1 {
			t.Errorf("1000 jobs of 10 ms on one connection took %v: %v", took, err)
		}
		for _, s := range tuner.Steps() {
			if s.Workers > 4 {
				t.Errorf("%d workers after %v, want no more than 4", s.Workers, s.After)
			}
		}
	})
}

func TestStepsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tuner := NewTuner(Tuning{Start: 1, Most: 1e6})
		defer tuner.Stop()
		for n := range 10 * maxSteps {
			time.Sleep(s1)
			tuner.mu.Lock()
			tuner.step(n)
			tuner.mu.Unlock()
		}
		steps := tuner.Steps()
		if len(steps) > maxSteps || steps[0] != (Step{0, 1}) || steps[len(steps)-1].Workers != 10*maxSteps-1 {
			t.Errorf("%d steps, from %v to %v", len(steps), steps[0], steps[len(steps)-1])
		}
		for i, s := range steps[1:] {
			if s.After <= steps[i].After {
				t.Fatalf("%v comes after %v", s, steps[i])
			}
		}
	})
}

func TestNilTuner(t *testing.T) {
	var tuner *Tuner
	tuner.Done(1, s1)
	tuner.Stop()
	if tuner.Steps() != nil {
		t.Error("a nil tuner has steps")
	}
}

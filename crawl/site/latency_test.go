package site

import (
	"context"
	"math"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pages, latency, jitter, share, factor = 1000, 100 * time.Millisecond, 50 * time.Millisecond, 0.1, 20
		delays := func(seed uint64) (all []time.Duration) {
			s := New(Options{Pages: pages, Links: 1, Latency: latency, Jitter: jitter, TailShare: share, TailFactor: factor, Seed: seed})
			for n := 1; n < pages; n++ {
				all = append(all, took(s, "/p/"+strconv.Itoa(n)))
			}
			return all
		}
		slow, least, most := 0, time.Hour, time.Duration(0)
		one, again, other := delays(1), delays(1), delays(2)
		same := 0
		for i, d := range one {
			if again[i] != d {
				t.Fatalf("page %d took %v, then %v", i+1, d, again[i])
			}
			if (other[i] > latency+jitter) == (d > latency+jitter) && d > latency+jitter {
				same++
			}
			if d > latency+jitter {
				slow++
				least, most = min(least, d), max(most, d)
			}
		}
		if math.Abs(float64(slow)-share*pages) > 4*math.Sqrt(share*(1-share)*pages) {
			t.Errorf("%d of %d pages are slow, want %v of them", slow, pages, share)
		}
		if least < factor*(latency-jitter) || most > factor*(latency+jitter) || most-least < factor*jitter {
			t.Errorf("they take %v to %v", least, most)
		}
		if same > slow/2 {
			t.Errorf("%d of %d slow pages are slow with another seed too", same, slow)
		}
	})
}

func TestDelayDoesNotOverflow(t *testing.T) {
	s := New(Options{Latency: math.MaxInt64, Jitter: math.MaxInt64, TailShare: 1, TailFactor: 1e6})
	for key := range uint64(100) {
		if d := s.delay(key); d < 0 {
			t.Fatal(d)
		}
	}
}

func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// As from a far site that works on three requests at a time.
		s := New(Options{Latency: 100 * time.Millisecond, ServiceTime: 20 * time.Millisecond, Concurrency: 3})
		var mu sync.Mutex
		ends := map[time.Duration]int{}
		start := time.Now()
		var wg sync.WaitGroup
		for n := range 10 {
			wg.Go(func() {
				took(s, "/p/"+strconv.Itoa(n+1))
				mu.Lock()
				defer mu.Unlock()
				ends[time.Since(start)]++
			})
		}
		wg.Wait()
		for ms, want := range map[int]int{120: 3, 140: 3, 160: 3, 180: 1} {
			if got := ends[time.Duration(ms)*time.Millisecond]; got != want {
				t.Errorf("%d requests were answered after %d ms, want %d: %v", got, ms, want, ends)
			}
		}
		// One alone waits for nobody, and what costs the site nothing has no turn.
		if got := took(s, "/blob/7"); got != 120*time.Millisecond {
			t.Errorf("alone: %v", got)
		}
		if got := took(s, "/status/404"); got != 0 {
			t.Errorf("/status/404: %v", got)
		}
	})
}

func TestRequestsAreWorkedOnInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{ServiceTime: time.Second, Concurrency: 1})
		ends := make([]time.Duration, 20)
		start := time.Now()
		var wg sync.WaitGroup
		for n := range ends {
			wg.Go(func() {
				took(s, "/p/"+strconv.Itoa(n+1))
				ends[n] = time.Since(start)
			})
			synctest.Wait() // it has arrived
		}
		wg.Wait()
		for n, end := range ends {
			if want := time.Duration(n+1) * time.Second; end != want {
				t.Errorf("request %d was answered after %v, want %v", n, end, want)
			}
		}
	})
}

// A client that leaves the queue keeps nobody waiting.
func TestLeavingTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{ServiceTime: time.Second, Concurrency: 1})
		var wg sync.WaitGroup
		ctx, leave := context.WithCancel(t.Context())
		for range 5 {
			wg.Go(func() {
				defer func() {
					if recover() == nil {
						t.Error("a client that has left was answered")
					}
				}()
				s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/p/1", nil))
			})
		}
		synctest.Wait()
		time.Sleep(time.Second / 2)
		leave()
		wg.Wait()
		if got := took(s, "/p/2"); got != time.Second {
			t.Errorf("the next waited %v", got)
		}
		if len(s.working) != 0 || s.Stats().InFlight != 0 {
			t.Errorf("%d are worked on, %d in flight", len(s.working), s.Stats().InFlight)
		}
	})
}

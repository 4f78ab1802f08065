package site

import (
	"context"
	"math"
	"net/http"
	"time"
)

// ready waits until the URL of this key is to be answered, and answers with an error if this request is to fail.
func (s *Site) ready(w http.ResponseWriter, r *http.Request, key uint64) bool {
	sleep(r.Context(), s.delay(key))
	s.work(r.Context())
	return !s.fail(w, key)
}

// delay returns the latency of the URL with this key: within Jitter of Latency, evenly spread, and TailFactor times that
// where the URL is among the slow ones.
func (s *Site) delay(key uint64) time.Duration {
	d := float64(s.o.Latency)
	if s.o.Jitter > 0 {
		d += (2*unit(mix(s.o.Seed, forDelay, key)) - 1) * float64(s.o.Jitter)
	}
	if s.o.TailShare > 0 && unit(mix(s.o.Seed, forTail, key)) < s.o.TailShare {
		d *= s.o.TailFactor
	}
	if d >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(max(0, d))
}

// work does what an answer costs the site, in its turn: a channel serves those who wait in the order of their arrival. The
// turn ends before the body is written, so that a slow reader keeps nobody else waiting.
func (s *Site) work(ctx context.Context) {
	if s.o.ServiceTime <= 0 {
		return
	}
	if s.working != nil {
		select {
		case s.working <- struct{}{}:
			defer func() { <-s.working }()
		case <-ctx.Done():
			panic(http.ErrAbortHandler)
		}
	}
	sleep(ctx, s.o.ServiceTime)
}

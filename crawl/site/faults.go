package site

import (
	"net/http"
	"sync/atomic"
	"time"
)

// faults decides which requests fail.
type faults struct {
	rate float64
	// asked counts the requests of each URL, by a hash of it: a retry meets the next decision, not the same again.
	asked []atomic.Uint32
}

// maxAsked bounds the memory of that. Above it two URLs share a count, and which of their requests fail depends on the
// order in which they come; how many fail does not.
const maxAsked = 1 << 20

func newFaults(o Options) faults {
	if o.ErrorRate <= 0 {
		return faults{}
	}
	return faults{rate: o.ErrorRate, asked: make([]atomic.Uint32, min(o.Pages, maxAsked))}
}

var faultStatus = [...]int{
	http.StatusInternalServerError, http.StatusBadGateway,
	http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// status returns with what status the next request for the URL of this key fails, or 0 if it does not.
func (f *faults) status(seed, key uint64) int {
	if f.rate <= 0 {
		return 0
	}
	nth := f.asked[key%uint64(len(f.asked))].Add(1)
	z := mix(seed, forFault, key, uint64(nth))
	if unit(z) >= f.rate {
		return 0
	}
	return faultStatus[mix1(z)%uint64(len(faultStatus))]
}

// fail waits for the URL's latency, and answers with an error if this request is to fail.
func (s *Site) fail(w http.ResponseWriter, r *http.Request, key uint64) bool {
	sleep(r.Context(), s.delay(key))
	code := s.faults.status(s.o.Seed, key)
	if code == 0 {
		return false
	}
	http.Error(w, http.StatusText(code), code)
	return true
}

// delay returns the latency of the URL with this key: within Jitter of Latency, evenly spread.
func (s *Site) delay(key uint64) time.Duration {
	if s.o.Jitter <= 0 {
		return s.o.Latency
	}
	off := (2*unit(mix(s.o.Seed, forDelay, key)) - 1) * float64(s.o.Jitter)
	return max(0, s.o.Latency+time.Duration(off))
}

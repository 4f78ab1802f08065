package exchange

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	FirstBackoff = 500 * time.Millisecond // the most that is waited after a first failure
	MaxBackoff   = time.Minute            // the most that is waited after any
	MaxAsked     = 24 * time.Hour         // of a Retry-After
)

// Backoff returns how long to wait after the n-th failure in a row, from 1: exponential, with the upper half random so
// that those who failed together do not come back together.
func Backoff(n int) time.Duration {
	d := min(FirstBackoff<<min(n-1, 16), MaxBackoff)
	return d/2 + rand.N(d/2)
}

// RetryAfter returns how long a response asks to wait, 0 if it does not say (RFC 9110, section 10.2.3).
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(MaxAsked/time.Second))) * time.Second
	}
	// Beyond what a number can hold, it is still a number.
	if strings.Trim(value, "0123456789") == "" {
		return MaxAsked
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), MaxAsked)
	}
	return 0
}

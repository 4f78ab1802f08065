package copy

import (
	"testing"
	"time"
)

func TestStride(t *testing.T) {
	const long = 1 << 40
	for _, c := range []struct {
		name        string
		done, speed int64
		first       time.Duration
		left        int64
		timeout     time.Duration
		want        int64
	}{
		{"nothing known", 0, 0, 0, long, time.Minute, 64 * kib},
		{"an eighth of what was brought, among 16", 1 << 30, 1 << 30, 100 * time.Microsecond, long, time.Minute, 8 * mib},
		{"a far server", 0, mib, 100 * time.Millisecond, long, time.Minute, 8 * mib / 10},
		{"a slow link", 1 << 30, 64 * kib, 100 * time.Millisecond, long, time.Minute, 960 * kib},
		{"a very slow link", 1 << 30, kib, 100 * time.Millisecond, long, time.Minute, 64 * kib},
		{"without a timeout", 1 << 30, 64 * kib, 100 * time.Millisecond, long, 0, 8 * mib},
		{"the rest", 1 << 30, 1 << 30, 0, 100, time.Minute, 100},
		{"a little rest joins", 0, 0, 0, 80 * kib, time.Minute, 80 * kib},
		{"a larger one does not", 0, 0, 0, 100 * kib, time.Minute, 64 * kib},
	} {
		var s stride
		s.done.Store(c.done)
		s.speed.Store(c.speed)
		s.first.Store(int64(c.first))
		if got := s.next(c.left, 16, c.timeout); got-c.want > 1 || c.want-got > 1 {
			t.Errorf("%s: %d bytes, not %d", c.name, got, c.want)
		}
	}
}

// However fast a network is, what is asked for at once is about an eighth of what has come, and it takes few requests.
func TestStrideGrows(t *testing.T) {
	const workers, size = 16, 10 << 30
	var s stride
	requests := 0
	for s.done.Load() < size {
		n := s.next(size, workers, time.Minute)
		if done := s.done.Load(); n > leastStride && n*workers > done/strideShare {
			t.Fatalf("%d bytes each after %d", n, done)
		}
		s.answered(100 * time.Microsecond)
		s.brought(n, 200*time.Microsecond)
		requests++
	}
	if requests > 2000 {
		t.Errorf("%d requests", requests)
	}
}

func TestStrideKeepsTheShortestWait(t *testing.T) {
	var s stride
	for _, wait := range []time.Duration{5 * time.Millisecond, 3 * time.Millisecond, 7 * time.Millisecond} {
		s.answered(wait)
	}
	if got := time.Duration(s.first.Load()); got != 3*time.Millisecond {
		t.Errorf("%v", got)
	}
}

package exchange

import (
	"testing"
	"time"
)

func TestShare(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name string
		left time.Duration // until the deadline; 0 for none
		n    int
		want time.Duration // 0 for none
	}{
		{"no deadline", 0, 3, 0},
		{"the last has all that is left", 9 * time.Second, 1, 9 * time.Second},
		{"an equal share", 9 * time.Second, 3, 3 * time.Second},
		{"but two seconds", 5 * time.Second, 5, 2 * time.Second},
		{"if they are left", time.Second, 5, time.Second},
	} {
		var deadline, want time.Time
		if test.left > 0 {
			deadline = now.Add(test.left)
		}
		if test.want > 0 {
			want = now.Add(test.want)
		}
		if got := share(now, deadline, test.n); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", test.name, got.Sub(now), test.want)
		}
	}
}

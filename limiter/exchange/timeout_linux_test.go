package exchange

import (
	"testing"
	"time"
)

func TestTimeoutNext(t *testing.T) {
	now := epoch.Add(time.Hour)
	const gone = -1 // os.ErrDeadlineExceeded
	for _, test := range []struct {
		name    string
		left    time.Duration // until the deadline; 0 for none
		kernel  time.Duration // as set
		expired bool
		want    time.Duration
	}{
		{"no deadline, nothing set", 0, 0, false, 0},
		{"no deadline: an old timeout costs one wake-up at most", 0, time.Second, false, time.Second},
		{"and is then taken away", 0, time.Second, true, 0},
		{"first call: a little less than what is left", 16 * time.Second, 0, false, 15 * time.Second},
		{"short enough stays", 16 * time.Second, 15 * time.Second, false, 15 * time.Second},
		{"even if much too short", 16 * time.Second, time.Second, false, time.Second},
		{"until it expires", 16 * time.Second, time.Second, true, 15 * time.Second},
		{"longer than what is left", 1600 * time.Millisecond, 15 * time.Second, false, 1500 * time.Millisecond},
		{"the last moment is exact", 10 * time.Millisecond, 15 * time.Second, true, 10 * time.Millisecond},
		{"0 would be for ever", time.Nanosecond, time.Second, true, time.Microsecond},
		{"too late", -time.Nanosecond, time.Second, false, gone},
	} {
		d := timeout{kernel: test.kernel}
		if test.left != 0 {
			d.deadline.set(now.Add(test.left))
		}
		got, err := d.next(now, test.expired)
		if err != nil {
			got = gone
		}
		if got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

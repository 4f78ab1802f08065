package fleet

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot returns the time on a clock that no one sets and that goes on while the machine sleeps (clock_gettime(2),
// CLOCK_BOOTTIME): Go's own stands still then, and a lease would seem to last.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return time.Since(started) // Linux before 2.6.39
	}
	return time.Duration(t.Nano())
}

var started = time.Now()

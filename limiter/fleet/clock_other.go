//go:build !linux

package fleet

import (
	"sync"
	"time"
)

var (
	started = time.Now()

	sleeping sync.Mutex
	slept    time.Duration // most that the wall clock was ever ahead; guarded by sleeping
)

// sinceBoot returns the time on Go's monotonic clock, which may stand still while the machine sleeps, and what the wall
// clock was ever ahead of it, which may be sleep. Where someone sets that clock forward, leases end early; none ends late.
func sinceBoot() time.Duration {
	now := time.Now()
	awake := now.Sub(started)
	sleeping.Lock()
	defer sleeping.Unlock()
	slept = max(slept, now.Round(0).Sub(started.Round(0))-awake)
	return awake + slept
}

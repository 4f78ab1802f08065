package progress

import (
	"sync/atomic"
	"time"
)

// overlap measures how long at least one of many overlapping intervals was open, without a lock.
//
// One word holds both how many intervals are open and since when, so that the first to open and the last to close
// agree on the start: the low countBits are the count, the rest is the start in microseconds.
type overlap struct {
	state atomic.Uint64
	total atomic.Int64 // of the closed unions, in microseconds
}

const (
	countBits = 20 // a million at once; the 44 bits left hold 203 days
	countMask = 1<<countBits - 1
)

// enter opens an interval at now, a time since the counter's start.
func (o *overlap) enter(now time.Duration) {
	for {
		old := o.state.Load()
		state := old + 1
		if old&countMask == 0 {
			state = uint64(now.Microseconds())<<countBits | 1
		}
		if o.state.CompareAndSwap(old, state) {
			return
		}
	}
}

// leave closes an interval at now.
func (o *overlap) leave(now time.Duration) {
	old := o.state.Add(^uint64(0)) + 1
	if old&countMask == 1 {
		// A later enter may have read the clock before this leave did.
		o.total.Add(max(now.Microseconds()-int64(old>>countBits), 0))
	}
}

// value returns the length of the union up to now.
func (o *overlap) value(now time.Duration) time.Duration {
	us := o.total.Load()
	if state := o.state.Load(); state&countMask != 0 {
		us += max(now.Microseconds()-int64(state>>countBits), 0)
	}
	return time.Duration(us) * time.Microsecond
}

package progress

import (
	"sync/atomic"
	"time"
)

// overlap measures how long at least one of many overlapping intervals was open, without a lock.
//
// One word holds both how many intervals are open and a time, so that all who open and close them agree: the low countBits
// are the count, the rest is in microseconds when the union began that is open, or when the last one ended. A union begins
// no earlier than the last ended, also for a goroutine that was stopped after it had read the clock.
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
			state = max(uint64(now.Microseconds()), old>>countBits)<<countBits | 1
		}
		if o.state.CompareAndSwap(old, state) {
			return
		}
	}
}

// leave closes an interval at now.
func (o *overlap) leave(now time.Duration) {
	for {
		old := o.state.Load()
		if old&countMask > 1 {
			if o.state.CompareAndSwap(old, old-1) {
				return
			}
			continue
		}
		began := old >> countBits
		ended := max(uint64(now.Microseconds()), began)
		if o.state.CompareAndSwap(old, ended<<countBits) {
			o.total.Add(int64(ended - began))
			return
		}
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

package limiter

import (
	"context"
	"math"
	"sync"
	"time"
)

// burst is how much of a rate may be used at once after a pause, as time: enough to catch up with timers that fire late.
const burst = 50 * time.Millisecond

// Rate grants tokens, operations or bytes, at a steady rate over all its callers. It is the virtual scheduling form of
// the generic cell rate algorithm (ITU-T I.371): each token has a time at which it is due, and lateness up to the burst
// is made up for. It starts with no burst saved.
//
// A nil *Rate is unlimited.
type Rate struct {
	perSecond float64
	perToken  float64 // nanoseconds
	start     time.Time
	supply    Supply // nil: the schedule is this Rate's own

	mu         sync.Mutex
	begun      bool
	slot       slot // of the last token granted
	head, tail *waiter
}

// slot is a point of the schedule, since Rate.start. The fraction keeps rates of several tokens a nanosecond exact.
type slot struct {
	due      time.Duration
	fraction float64 // nanoseconds, below 1
}

// waiter is one caller in the queue. Only the head has a timer: whoever leaves the head wakes those who can go too, and
// makes the first who cannot the new head.
type waiter struct {
	n    int64
	slot slot // when its last token is due; set when it becomes the head
	next *waiter
	wake chan bool // true: granted; false: the head now
}

// NewRate returns a Rate of perSecond tokens a second, or nil, which is unlimited, if that is not above zero.
func NewRate(perSecond float64) *Rate {
	if !(perSecond > 0) || math.IsInf(perSecond, 1) {
		return nil
	}
	return &Rate{perSecond: perSecond, perToken: float64(time.Second) / perSecond, start: time.Now()}
}

// Supply returns when n tokens may be used, or an error, and then it took none. It is called for one caller of Wait at a
// time, in the order of their arrival, and has to return the error of ctx at once when that is cancelled.
type Supply func(ctx context.Context, n int64) error

// NewSupplied returns a Rate whose tokens come from elsewhere, such as from a server that many processes ask. What it
// returns for perSecond is what NewRate does; at which pace tokens come is the supply's own affair.
func NewSupplied(perSecond float64, supply Supply) *Rate {
	r := NewRate(perSecond)
	if r != nil {
		r.supply = supply
	}
	return r
}

// PerSecond returns the rate in tokens a second, +Inf for a nil Rate.
func (r *Rate) PerSecond() float64 {
	if r == nil {
		return math.Inf(1)
	}
	return r.perSecond
}

// Wait takes n tokens, waiting until the last of them is due. Callers are served in the order of their arrival: one that
// wants many tokens keeps all later ones waiting until it has them all.
//
// If ctx is cancelled first, Wait returns its error at once and takes nothing.
func (r *Rate) Wait(ctx context.Context, n int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r == nil || n <= 0 {
		return nil
	}
	r.mu.Lock()
	now := time.Since(r.start)
	if !r.begun {
		r.begun, r.slot.due = true, now
	}
	if r.head == nil && r.supply == nil {
		if at := r.after(now, n); at.due <= now {
			r.slot = at
			r.mu.Unlock()
			return nil
		}
	}
	w := r.enqueue(now, n)
	isHead := r.head == w
	r.mu.Unlock()
	if !isHead {
		select {
		case granted := <-w.wake:
			if granted {
				return nil
			}
		case <-ctx.Done():
			return r.leave(ctx, w)
		}
	}
	return r.lead(ctx, w)
}

// after returns the slot of the n-th token from now on. It requires that mu is held.
func (r *Rate) after(now time.Duration, n int64) slot {
	at := r.slot
	if earliest := now - burst; at.due < earliest {
		at = slot{due: earliest}
	}
	ns := at.fraction + float64(n)*r.perToken
	whole := math.Floor(ns)
	if whole > math.MaxInt64/4 {
		return slot{due: math.MaxInt64 / 4} // 73 years: as good as never
	}
	return slot{due: at.due + time.Duration(whole), fraction: ns - whole}
}

// enqueue appends a waiter for n tokens. It requires that mu is held.
func (r *Rate) enqueue(now time.Duration, n int64) *waiter {
	w := &waiter{n: n, wake: make(chan bool, 1)}
	if r.head == nil {
		r.head = w
		w.slot = r.after(now, n)
	} else {
		r.tail.next = w
	}
	r.tail = w
	return w
}

// lead waits, as the head of the queue, until w's tokens are due.
func (r *Rate) lead(ctx context.Context, w *waiter) error {
	err := r.await(ctx, w)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.slot = w.slot
	}
	r.head = w.next
	r.advance(time.Since(r.start))
	return err
}

// await returns when the tokens of the head are due, or are supplied.
func (r *Rate) await(ctx context.Context, w *waiter) error {
	if r.supply != nil {
		return r.supply(ctx, w.n)
	}
	timer := time.NewTimer(w.slot.due - time.Since(r.start))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// advance serves the queue after its head has gone. It requires that mu is held.
func (r *Rate) advance(now time.Duration) {
	for ; r.head != nil; r.head = r.head.next {
		at := r.after(now, r.head.n)
		if at.due > now || r.supply != nil {
			r.head.slot = at
			r.head.wake <- false
			return
		}
		r.slot = at
		r.head.wake <- true
	}
	r.tail = nil
}

// leave takes w out of the queue for a caller that gives up. A grant that came in the same moment stays granted.
func (r *Rate) leave(ctx context.Context, w *waiter) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case granted := <-w.wake:
		if granted {
			return nil
		}
		r.head = w.next
		r.advance(time.Since(r.start))
		return ctx.Err()
	default:
	}
	// Neither granted nor the head, so there is one before it.
	before := r.head
	for before.next != w {
		before = before.next
	}
	before.next = w.next
	if r.tail == w {
		r.tail = before
	}
	return ctx.Err()
}

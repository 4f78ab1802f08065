package limiter

import (
	"math"
	"sync"
	"time"
)

// Hosts keeps a pace for each of many keys: the time between the starts of two operations, how many run at once, and
// pauses. It never sleeps; it says when a key may start, and the caller's queue waits.
//
// An operation goes through Claim, Started and Release, once each; one that is given up may leave out Started. Between
// Claim and Started a key with a gap to keep is blocked, so the gap counts from the moment in which the earlier operation
// really started, however long it took to get there.
//
// A key at rest, whose next start is due and that has no delay of its own, is forgotten: a new record of it would say
// the same. Memory is bounded by the keys that are busy, pausing or within their gap.
type Hosts struct {
	gap   time.Duration
	limit int // operations at once on a key; 0 is unlimited

	mu      sync.Mutex
	keys    map[string]*hostPace
	sweepAt int // forget keys at rest when there are so many
}

// hostPace is the pace of one key.
type hostPace struct {
	last     time.Time // the start of the latest operation
	paused   time.Time // no start before
	delay    time.Duration
	inFlight int
	claimed  int // of those in flight, not started yet
}

const (
	minSweep = 1024
	maxGap   = math.MaxInt64 / 4 * time.Nanosecond // 73 years: as good as never, and a Duration can hold it
)

// NewHosts returns the pace of keys that start at most perSecond operations a second each, with at most atOnce of them
// in flight. Zero is unlimited for both.
func NewHosts(perSecond float64, atOnce int) *Hosts {
	h := &Hosts{limit: atOnce, keys: map[string]*hostPace{}, sweepAt: minSweep}
	if perSecond > 0 {
		h.gap = time.Duration(min(float64(time.Second)/perSecond, float64(maxGap)))
	}
	return h
}

// Claim asks to start an operation on a key. If it may not start now, at is when to ask again; a zero at means after
// the next Started or Release of this key.
func (h *Hosts) Claim(key string, now time.Time) (at time.Time, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.keys[key]
	if p == nil {
		h.sweep(now)
		p = &hostPace{}
		h.keys[key] = p
	}
	if p.claimed > 0 && h.between(p) > 0 || h.full(p) {
		return time.Time{}, false
	}
	if due := h.due(p); due.After(now) {
		return due, false
	}
	p.claimed++
	p.inFlight++
	return now, true
}

// Started says that a claimed operation of a key starts now: its request has been written.
func (h *Hosts) Started(key string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.keys[key]; p != nil && p.claimed > 0 {
		p.claimed--
		p.last = now
	}
}

// Release says that an operation of a key is over. One that never started leaves the pace as it was; started tells
// which it is.
func (h *Hosts) Release(key string, started bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.keys[key]; p != nil && p.inFlight > 0 {
		p.inFlight--
		if !started {
			p.claimed--
		}
	}
}

// SetDelay gives a key a delay of its own: its starts are at least that far apart, or the rate's gap if that is longer,
// and one is in flight at a time. It counts from the latest start on. A key with a delay is not forgotten; zero takes
// the delay away.
func (h *Hosts) SetDelay(key string, delay time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.keys[key]
	if p == nil {
		if delay == 0 {
			return
		}
		p = &hostPace{}
		h.keys[key] = p
	}
	p.delay = delay
}

// Pause lets no operation of a key start before until. A longer pause of it stays.
func (h *Hosts) Pause(key string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.keys[key]
	if p == nil {
		p = &hostPace{}
		h.keys[key] = p
	}
	if until.After(p.paused) {
		p.paused = until
	}
}

// Len returns how many keys are remembered.
func (h *Hosts) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.keys)
}

// between returns how far apart the starts of a key are.
func (h *Hosts) between(p *hostPace) time.Duration { return max(h.gap, p.delay) }

// full says whether a key has as much in flight as it may. It requires that mu is held.
func (h *Hosts) full(p *hostPace) bool {
	return p.delay > 0 && p.inFlight > 0 || h.limit > 0 && p.inFlight >= h.limit
}

// due returns when a key may start next. It requires that mu is held.
func (h *Hosts) due(p *hostPace) time.Time {
	due := p.paused
	if !p.last.IsZero() {
		if next := p.last.Add(h.between(p)); next.After(due) {
			due = next
		}
	}
	return due
}

// sweep forgets the keys at rest once there are twice as many keys as the last sweep left, so that its cost is constant
// a key. It requires that mu is held.
func (h *Hosts) sweep(now time.Time) {
	if len(h.keys) < h.sweepAt {
		return
	}
	for key, p := range h.keys {
		if p.inFlight == 0 && p.delay == 0 && !h.due(p).After(now) {
			delete(h.keys, key)
		}
	}
	h.sweepAt = max(2*len(h.keys), minSweep)
}

package fleet

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// tokenLasts is how late a token may be used: what limiter.Rate saves over a pause.
	tokenLasts = 50 * time.Millisecond
	// drawLate is how late one may be drawn, so that the way to the server and back costs nothing of a slow rate.
	drawLate = tokenLasts / 2
	// drawAhead is how much of the schedule all workers together draw ahead, by and large.
	drawAhead = 150 * time.Millisecond
	// leastAhead is what a worker draws ahead, as time of its own use, while nothing shows that it uses tokens as soon as
	// they are due.
	leastAhead = 25 * time.Millisecond
	// keepIdle is for how long a worker keeps tokens after its last use, before it gives them back.
	keepIdle = 20 * time.Millisecond
)

const (
	never    = time.Duration(math.MaxInt64)
	mostWant = 1 << 60
)

// tap is a worker's end of a shared rate: slices of the common schedule, which it draws before it needs them. Each token
// has a time at which it is due, and is worthless soon after, whatever became of the worker meanwhile: so all workers
// together never have more than the rate and what it gives in tokenLasts.
type tap struct {
	perSecond, perToken float64 // perToken is in nanoseconds
	clock               func() time.Duration
	background          func(func(context.Context)) error
	draw                func(ctx context.Context, want, own int64) (grant, error)
	giveBack            func(ctx context.Context, back []grant)

	mu      sync.Mutex
	slices  []slice       // in the order of the schedule
	taking  bool          // someone waits
	resting *time.Timer   // until what is left is given back
	rested  time.Duration // since when
	left    int64         // tokens in slices
	last    int64         // of the last slice, when it was drawn
	asking  chan struct{} // closed when the answer is there; nil while nothing is asked
	err     error         // that the answer was; nobody was told yet
	server  time.Duration // how far its clock is ahead of this one
	known   bool          // that is
	usage   usage
	wasted  time.Duration // when it last had tokens that it did not use as soon as they were due
}

// slice is a piece of the schedule.
type slice struct {
	begin time.Duration // of the first token's period, at whose end it is due
	came  time.Duration
	n     int64
	gone  int64 // used or lost
}

func newTap(
	perSecond float64, clock func() time.Duration, background func(func(context.Context)) error,
	draw func(ctx context.Context, want, own int64) (grant, error), giveBack func(context.Context, []grant),
) *tap {
	return &tap{
		perSecond: perSecond, perToken: float64(time.Second) / perSecond, clock: clock, background: background,
		draw: draw, giveBack: giveBack, wasted: clock(),
	}
}

// take is a limiter.Supply.
func (t *tap) take(ctx context.Context, n int64) error {
	n = min(n, mostWant)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taking = true
	defer t.rest()
	t.discard(t.clock())
	for {
		now, wake := t.clock(), never
		if t.left >= n {
			if wake = t.due(n); wake <= now {
				t.use(n, now)
				t.drawMore(0, now)
				return nil
			}
		}
		if t.err == nil || t.left >= n {
			t.drawMore(n, now)
		}
		if err := t.err; err != nil && t.left < n {
			t.err = nil
			return err
		}
		if half := t.halfDue(); t.asking == nil && half > now {
			wake = min(wake, half)
		}
		if err := t.sleep(ctx, wake); err != nil {
			return err
		}
	}
}

// sleep returns when it is time to wake, or when an answer has come. It requires that mu is held, and lets it go
// meanwhile.
func (t *tap) sleep(ctx context.Context, wake time.Duration) error {
	asking := t.asking
	var timer <-chan time.Time
	if wake != never {
		timer = time.After(wake - t.clock())
	}
	t.mu.Unlock()
	defer t.mu.Lock()
	select {
	case <-timer:
	case <-asking:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// discard loses the tokens that nobody used in time. It requires that mu is held, as all that follows does.
func (t *tap) discard(now time.Duration) {
	if t.left > 0 && now-max(t.due(1), t.slices[0].came) > tokenLasts/2 {
		t.wasted = now
	}
	for i := range t.slices {
		s := &t.slices[i]
		over := math.Floor(float64(now-tokenLasts-s.begin) / t.perToken)
		if n := min(s.n, int64(max(0, over))) - s.gone; n > 0 {
			s.gone += n
			t.left -= n
		}
	}
	t.tidy()
}

// due returns when the n-th token that is left is due.
func (t *tap) due(n int64) time.Duration {
	for _, s := range t.slices {
		if n <= s.n-s.gone {
			return s.begin + time.Duration(math.Ceil(float64(s.gone+n)*t.perToken))
		}
		n -= s.n - s.gone
	}
	return never
}

// halfDue returns when no more than half of the last slice is still to come.
func (t *tap) halfDue() time.Duration {
	if n := t.left - t.last/2; n > 0 {
		return t.due(n)
	}
	return 0
}

// use takes n tokens, of those that are left.
func (t *tap) use(n int64, now time.Duration) {
	t.usage.add(n, now)
	t.left -= n
	for i := range t.slices {
		s := &t.slices[i]
		took := min(n, s.n-s.gone)
		s.gone += took
		n -= took
	}
	t.tidy()
}

// tidy drops slices of which nothing is left.
func (t *tap) tidy() {
	i := 0
	for i < len(t.slices) && t.slices[i].gone == t.slices[i].n {
		i++
	}
	t.slices = append(t.slices[:0], t.slices[i:]...)
}

// drawMore asks for the next slice if half of the last is due and spoken for, and more is wanted: n tokens by the one who
// waits, and what will be used soon by those who come.
func (t *tap) drawMore(n int64, now time.Duration) {
	if t.asking != nil || t.left-n > t.last/2 || t.halfDue() > now {
		return
	}
	rate := min(t.perSecond, t.usage.perSecond(now))
	ahead := t.ahead(now)
	if ahead == drawAhead {
		ahead *= 2 // it may have as much as others, who had more so far
	}
	want := n + int64(rate*ahead.Seconds()) - t.left
	if want <= 0 {
		return
	}
	own := int64(rate * drawAhead.Seconds())
	t.asking = make(chan struct{})
	if err := t.background(func(ctx context.Context) { t.answer(t.draw(ctx, want, own)) }); err != nil {
		t.asking, t.err = nil, err
	}
}

// ahead returns for how long a time of its use a worker draws beyond what is wanted at the moment: the longer it has used
// each token as soon as it was due, the more. What one draws that rests now and then would be lost, and to others too.
func (t *tap) ahead(now time.Duration) time.Duration {
	return min(drawAhead, leastAhead+(now-t.wasted)/10)
}

// answer takes what was asked for.
func (t *tap) answer(g grant, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.asking)
	t.asking = nil
	if t.err = err; err != nil {
		return
	}
	// Its clock was asked between two readings of this one. The latest of the lower bounds is the best that is known;
	// one of the clocks has moved if that cannot be.
	if least, most := g.now-g.came, g.now-g.sent; !t.known || t.server < least || t.server > most {
		t.server, t.known = least, true
	}
	s := slice{begin: g.begin - t.server, came: g.came, n: g.n}
	i, _ := slices.BinarySearchFunc(t.slices, s, func(a, b slice) int { return cmp.Compare(a.begin, b.begin) })
	t.slices = slices.Insert(t.slices, i, s)
	t.left += g.n
	t.last = g.n
	if !t.taking {
		t.rest()
	}
}

// rest lets what is left be given back if nobody comes soon: it would be lost to all.
func (t *tap) rest() {
	t.taking, t.rested = false, t.clock()
	switch {
	case t.left == 0:
	case t.resting == nil:
		t.resting = time.AfterFunc(keepIdle, t.returnAll)
	default:
		t.resting.Reset(keepIdle)
	}
}

// returnAll gives back what is left.
func (t *tap) returnAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taking || t.left == 0 || t.clock()-t.rested < keepIdle {
		return // somebody came just when the timer had fired
	}
	var back []grant
	for _, s := range t.slices {
		begin := s.begin + time.Duration(math.Ceil(float64(s.gone)*t.perToken))
		back = append(back, grant{begin: begin + t.server, n: s.n - s.gone})
	}
	t.slices, t.left, t.wasted = nil, 0, t.clock()
	_ = t.background(func(ctx context.Context) { t.giveBack(ctx, back) }) // who has left gives nothing back
}

// usage is how much a worker uses, the older the less.
type usage struct {
	sum       float64
	begun, at time.Duration
	any       bool
}

// Over which time usage is averaged, and over which at least: one token says nothing.
const usageOver, usageLeast = time.Second, 50 * time.Millisecond

func (u *usage) add(n int64, now time.Duration) {
	if !u.any {
		u.begun, u.at, u.any = now, now, true
	}
	u.sum = u.sum*fading(now-u.at) + float64(n)
	u.at = now
}

func (u *usage) perSecond(now time.Duration) float64 {
	if !u.any {
		return 0
	}
	weight := usageOver.Seconds() * (1 - fading(max(usageLeast, now-u.begun)))
	return u.sum * fading(now-u.at) / weight
}

func fading(age time.Duration) float64 { return math.Exp(-age.Seconds() / usageOver.Seconds()) }

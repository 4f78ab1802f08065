package limiter

import "math"

// climb searches the number of workers at which throughput stops growing. It is told of windows, in each of which the
// number was held, and says which number to hold in the next one. It knows no clock.
//
// It begins as BBR does in its startup (Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14(5),
// 2016): the number doubles as long as throughput grows with it, and the last doubling that gained too little is undone.
// From then on it tries, as BBR does in its probes, a quarter more and a fifth less in turns, and stays with what is better:
// the climb of a hill whose height is measured with noise (Hellerstein et al., "Optimizing Concurrency Levels in the .NET
// ThreadPool", 2008), where of two that are as high the one with fewer workers wins. What it tries it tries less and less
// often, until throughput changes by itself.
//
// A window in which workers had nothing to do for much of the time says nothing of what more workers would gain, as a sample
// that is application-limited does not in BBR. So neither a rate limit nor politeness makes the number grow.
type climb struct {
	most int
	n    int // held now

	phase  phase
	base   int     // the best number known
	rate   float64 // of the base
	tries  int     // windows at n so far
	sum    float64 // of their rates
	usual  float64 // of the base, as in window
	doubts int     // doublings in a row that only usual speaks for

	compared bool // with one worker, as far as that can be done
	up       bool // what is tried now, or next
	stride   int  // of strides
	rest     int  // windows until the next try
	pause    int  // what rest was last set to
	outcast  int  // windows in a row with another rate than the base's
}

// window is what one has brought.
type window struct {
	rate  float64 // work a second
	busy  float64 // workers with a job, on average, as a share of n
	usual float64 // the rate if all operations had taken as long as the median one; 0 if that says nothing
	alone float64 // the rate of one worker whose operations all take as long as the quickest one; 0 if that cannot be told
}

type phase int

const (
	doubling phase = iota
	resting
	trying
)

const (
	fullShare = 0.8  // of the workers that have jobs, on average: with fewer a window says nothing
	sureGain  = 1.25 // of a doubling, where others than its rate speak for it
	fullGain  = 1.6  // of a doubling, where one window is enough
	leastGain = 1.07 // of a doubling at all
	longRest  = 16

	doublingTries = 3

	otherRate  = 0.2  // by how much throughput differs when it has changed by itself
	leastStep  = 0.15 // elasticity: what one percent more workers have to gain, in percent
	freeStep   = 0.05 // what one percent fewer workers may lose
	steepSlope = 0.75
)

// strides are the factors by which the number changes when tries go well.
var strides = []float64{1.25, 1.5, 2}

func newClimb(start, most int) *climb {
	most = max(most, 1)
	return &climb{most: most, n: min(max(start, 1), most)}
}

// next takes what a window has brought with n workers, and returns how many are to be held in the next one.
func (c *climb) next(w window) int {
	if w.busy < fullShare || !(w.rate > 0) {
		if c.phase == trying {
			c.reject()
		}
		return c.n
	}
	switch c.phase {
	case doubling:
		c.double(w)
	case resting:
		c.wait(w.rate)
	case trying:
		c.try(w.rate)
	}
	return c.n
}

// stay makes n the base, because with the number that was held nothing moved. It is long until the next try.
func (c *climb) stay(n int) {
	c.settle(n)
	c.rest, c.pause = longRest, longRest
}

// double compares with the base, which has half as many workers. The first window after a doubling is enough where it has
// gained much. Otherwise there are three, as in BBR, of which the first does not count: new workers have to get going, and
// queues to fill.
func (c *climb) double(w window) {
	if c.base == 0 && w.alone > 0 && c.n > 1 && !c.compared {
		c.compareAlone(w)
		return
	}
	if c.tries++; c.tries > 1 {
		c.sum += w.rate
	}
	mean := c.sum / float64(max(c.tries-1, 1))
	switch {
	case c.base == 0, w.rate >= c.rate*fullGain, c.tries == doublingTries && mean >= c.rate*leastGain:
		c.doubts = 0
		c.rise(max(w.rate, mean), w.usual)
	case c.tries < doublingTries:
	case c.doubts < 2 && c.usual > 0 && w.usual >= c.usual*sureGain:
		// A few operations that take many times as long as the others say little of what the server can do, but much of
		// the rate while there are few workers: then the usual operation may speak for one more doubling, but not for a third.
		c.doubts++
		c.rise(max(mean, c.rate), w.usual)
	default:
		c.settle(c.base)
	}
}

// compareAlone decides on the first doubling, before which there is no other number to compare with. Where operations queue
// up, the quickest of them is the one that found nobody before it (as TCP Vegas takes the least round trip for that of an
// empty network: Brakmo and Peterson, 1995). It may also have been another sort of operation: in doubt, half is compared.
func (c *climb) compareAlone(w window) {
	c.compared = true
	if w.rate >= w.alone*math.Pow(sureGain, math.Log2(float64(c.n))) {
		c.rise(w.rate, w.usual)
		return
	}
	c.hold(c.n / 2)
}

// rise makes n the base, and doubles it.
func (c *climb) rise(rate, usual float64) {
	steep := c.base > 0 && c.slope(rate) >= steepSlope
	c.base, c.rate, c.usual = c.n, rate, usual
	if c.n == c.most {
		c.settle(c.n)
		if steep { // fewer would be less
			c.rest, c.pause = longRest/2, longRest
		}
		return
	}
	c.hold(min(2*c.n, c.most))
}

// settle makes n the base and holds it. What it brings is measured anew, and then fewer are tried.
func (c *climb) settle(n int) {
	c.phase, c.base, c.rate = resting, n, 0
	c.up, c.stride, c.rest, c.pause = false, 0, 1, 1
	c.hold(n)
}

func (c *climb) hold(n int) { c.n, c.tries, c.sum = n, 0, 0 }

// wait keeps the rate of the base up to date, and begins a try when its time has come.
func (c *climb) wait(rate float64) {
	if c.rate == 0 {
		c.rate = rate
	}
	if math.Abs(rate/c.rate-1) > otherRate {
		if c.outcast++; c.outcast == 1 {
			return // nothing to compare with, be it a change or chance
		}
		// More may have become possible, or less be enough.
		c.up, c.rest, c.pause, c.rate, c.outcast = rate > c.rate, 1, 1, rate, 0
	} else {
		c.outcast = 0
		c.rate += (rate - c.rate) / 2
	}
	if c.rest--; c.rest > 0 {
		return
	}
	if n := c.other(); n != c.base {
		c.begin(n)
		return
	}
	c.up = !c.up
	if n := c.other(); n != c.base {
		c.begin(n)
	}
}

func (c *climb) begin(n int) {
	c.phase, c.outcast = trying, 0
	c.hold(n)
}

// other is the number to try beside the base, which it is where there is none.
func (c *climb) other() int {
	by := strides[c.stride]
	if c.up {
		return min(c.most, int(math.Ceil(float64(c.base)*by)))
	}
	return max(1, int(float64(c.base)/by))
}

// try compares with the base.
func (c *climb) try(rate float64) {
	c.tries++
	c.sum += rate
	mean := c.sum / float64(c.tries)
	slope := c.slope(mean)
	switch {
	case c.up && c.tries == 1 && slope >= steepSlope && c.n < c.most:
		// Much has become possible.
		c.phase, c.doubts = doubling, 0
		c.rise(mean, 0)
	case c.up && slope <= 0, !c.up && slope >= steepSlope/2, c.tries > 1 && c.up != (slope >= c.needed()):
		c.reject()
	case c.tries > 1:
		c.accept(mean)
	}
}

// slope is by how many percent throughput changes with each percent of workers, from the base to n with a rate.
func (c *climb) slope(rate float64) float64 {
	return math.Log(rate/c.rate) / math.Log(float64(c.n)/float64(c.base))
}

// needed is the slope from which on more workers are better than fewer.
func (c *climb) needed() float64 {
	if c.up {
		return leastStep
	}
	return freeStep
}

// accept makes what was tried the base, and goes on in the same direction.
func (c *climb) accept(rate float64) {
	c.base, c.rate = c.n, rate
	c.stride = min(c.stride+1, len(strides)-1)
	c.pause = 1
	if n := c.other(); n != c.base {
		c.begin(n)
		return
	}
	c.phase, c.rest, c.stride = resting, 1, 0
	c.hold(c.base)
}

// reject goes back to the base, and tries the other direction later.
func (c *climb) reject() {
	c.phase, c.up, c.stride = resting, !c.up, 0
	c.rest = c.pause
	c.pause = min(2*c.pause, longRest)
	c.hold(c.base)
}

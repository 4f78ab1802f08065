package progress

import "time"

const (
	seriesLen  = 512              // most steps of a Series
	firstWidth = time.Millisecond // of a step, until the run is too long for it
)

// Series is what went on in a run over time. It covers the whole run, however many operations that has.
//
// What an operation moves is spread evenly over the time that it takes: one of four seconds shows as a quarter of an
// operation a second, not as a peak at its end.
type Series struct {
	Step                time.Duration // from one value to the next
	End                 time.Duration // of the last operation; the last values are averages up to here
	InFlight            []float64     // operations that executed at once, on average over the step
	BytesPerSecond      []float64
	OperationsPerSecond []float64
}

// rates are how much is in flight, the bytes a second and the operations a second.
type rates [3]float64

// step is a piece of time. It holds changes and not values, so that an operation costs the same however long it takes.
type step struct {
	within rates // seconds x rate of what began in the step, less that of what ended in it, each up to the step's end
	since  rates // how much higher the rates are from the step's beginning on
}

// series adds up the operations of some workers.
type series struct {
	width time.Duration
	end   time.Duration
	steps []step // one more than there are values, and an even number
}

func newSeries() *series { return &series{width: firstWidth, steps: make([]step, seriesLen+2)} }

// add notes an operation. It takes longer than no time.
func (s *series) add(start, end time.Duration, bytes int64) {
	s.end = max(s.end, end)
	for s.end >= s.width*seriesLen {
		s.coarsen()
	}
	seconds := (end - start).Seconds()
	of := rates{1, float64(bytes) / seconds, 1 / seconds}
	s.change(start, of, 1)
	s.change(end, of, -1)
}

// change lets the rates rise, or fall, at a moment.
func (s *series) change(at time.Duration, by rates, sign float64) {
	i := int(at / s.width)
	rest := (time.Duration(i+1)*s.width - at).Seconds()
	for k, rate := range by {
		s.steps[i].within[k] += sign * rest * rate
		s.steps[i+1].since[k] += sign * rate
	}
}

// coarsen makes one step of two.
func (s *series) coarsen() {
	half := len(s.steps) / 2
	for i := range half {
		first, second := s.steps[2*i], s.steps[2*i+1]
		if i > 0 {
			first.since.add(s.steps[2*i-1].since, 1) // a step later than it should be, which within makes good
		}
		first.within.add(second.within, 1)
		first.within.add(second.since, s.width.Seconds())
		s.steps[i] = first
	}
	clear(s.steps[half:])
	s.width *= 2
}

func (r *rates) add(other rates, times float64) {
	for k := range r {
		r[k] += times * other[k]
	}
}

// merge adds the operations of other workers, whose series is then of no more use.
func (s *series) merge(other *series) {
	for s.width < other.width {
		s.coarsen()
	}
	for other.width < s.width {
		other.coarsen()
	}
	s.end = max(s.end, other.end)
	for i := range s.steps {
		s.steps[i].within.add(other.steps[i].within, 1)
		s.steps[i].since.add(other.steps[i].since, 1)
	}
}

func (s *series) values() Series {
	v := Series{Step: s.width, End: s.end}
	var level rates
	for i := 0; time.Duration(i)*s.width < s.end; i++ {
		level.add(s.steps[i].since, 1)
		sum := s.steps[i].within
		sum.add(level, s.width.Seconds())
		long := min(s.width, s.end-time.Duration(i)*s.width).Seconds()
		// What should be nothing is a little more or less after many sums.
		at := func(k int) float64 { return max(sum[k]/long, 0) }
		v.InFlight = append(v.InFlight, at(0))
		v.BytesPerSecond = append(v.BytesPerSecond, at(1))
		v.OperationsPerSecond = append(v.OperationsPerSecond, at(2))
	}
	return v
}

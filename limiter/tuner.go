package limiter

import (
	"slices"
	"sync"
	"time"
)

// Tuning says how a [Tuner] begins, and what it must know of the work.
type Tuning struct {
	// Start is the number of workers at first, and Most what it may become; both are at least 1.
	Start, Most int
	// Window is the least time over which throughput is measured; 0 means [DefaultWindow].
	Window time.Duration
	// Waiting returns how many workers have a job that only waits for a limit; nil if none does.
	Waiting func() int
	// Tell, if not nil, is told of each number.
	Tell func(workers int)
}

// DefaultWindow is longer than what the garbage collector and the kernel's scheduler take now and then.
const DefaultWindow = 50 * time.Millisecond

// Step is the number of workers from some time on.
type Step struct {
	After   time.Duration // since the Tuner was made
	Workers int
}

const (
	maxSteps   = 1000 // that a Tuner remembers
	checkEvery = 250 * time.Millisecond
	leastQuiet = 2 * checkEvery // without a completion, that may mean a standstill
)

// Tuner changes a number of workers while they work until throughput grows with it no more, and goes on looking.
//
// Throughput is measured over at least as many completions as there are workers: where the operations of all of them fall
// together, each is then counted as often as the others.
//
// All methods of a nil Tuner but Workers do nothing.
type Tuner struct {
	Tuning
	workers *Workers
	made    time.Time
	timer   *time.Timer

	mu      sync.Mutex
	climb   *climb
	steps   []Step
	stopped bool
	last    time.Time     // of the last completion; zero before the first
	gap     time.Duration // between completions, in the last window

	// Of the present window. It does not begin before all workers have left that are too many for it.
	draining bool
	since    time.Time
	work     float64
	events   int
	busy     int             // workers, over all events
	took     []time.Duration // by operations, while the number doubles
	quickest time.Duration   // of all operations so far
}

// NewTuner returns a Tuner of some workers. Stop must be called.
func NewTuner(o Tuning) *Tuner {
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	t := &Tuner{Tuning: o, workers: NewWorkers(o.Start, o.Most), climb: newClimb(o.Start, o.Most), made: time.Now()}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.step(t.climb.n)
	t.timer = time.AfterFunc(checkEvery, t.check)
	return t
}

// Workers returns what the Tuner changes, for one [EachOf].
func (t *Tuner) Workers() *Workers { return t.workers }

// Done counts work that a worker has done well, in whatever unit, by one operation that took so long, waits for limits not
// counted; 0 if that cannot be told.
func (t *Tuner) Done(work float64, took time.Duration) {
	if t == nil {
		return
	}
	busy, active, _ := t.load()
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if took > 0 && (t.quickest == 0 || took < t.quickest) {
		t.quickest = took
	}
	first := t.last.IsZero()
	switch t.last = now; {
	case t.stopped || t.draining && active > t.climb.n:
		return
	case first || t.draining:
		t.begin(now)
		return
	}
	t.work += work
	t.busy += busy
	t.events++
	events, least := max(t.climb.n, 4), t.Window
	if t.climb.phase != doubling {
		events, least = max(2*t.climb.n, 16), 2*t.Window
	} else if took > 0 {
		t.took = append(t.took, took)
	}
	elapsed := now.Sub(t.since)
	if t.events < events || elapsed < least {
		return
	}
	t.gap = elapsed / time.Duration(t.events)
	t.hold(t.climb.next(t.window(elapsed)), now)
}

// load is that of the workers, without those that wait for a limit among the busy ones.
func (t *Tuner) load() (busy, active, parked int) {
	busy, active, parked = t.workers.load()
	if t.Waiting != nil {
		busy -= t.Waiting()
	}
	return busy, active, parked
}

// window is what the present one has brought. It requires that mu is held.
func (t *Tuner) window(elapsed time.Duration) window {
	w := window{rate: t.work / elapsed.Seconds(), busy: float64(t.busy) / float64(t.events*t.climb.n)}
	if len(t.took) == 0 {
		return w
	}
	slices.Sort(t.took)
	median := t.took[len(t.took)/2]
	var sum time.Duration
	for _, took := range t.took {
		sum += took
	}
	each := t.work / float64(t.events)
	w.alone = each / t.quickest.Seconds()
	// Not if most of what the workers did is still to end: it may take any time.
	if sum > elapsed*time.Duration(t.busy)/time.Duration(2*t.events) {
		w.usual = each / median.Seconds() * w.busy * float64(t.climb.n)
	}
	return w
}

// hold begins a window with n workers. It requires that mu is held.
func (t *Tuner) hold(n int, now time.Time) {
	was := t.steps[len(t.steps)-1].Workers
	if got := t.workers.Set(n); got < n {
		// The machine does not allow more.
		t.climb.most = got
		t.climb.settle(got)
		n = got
	}
	if n != was {
		t.step(n)
	}
	t.begin(now)
	t.draining = n < was
}

// begin begins a window. It requires that mu is held.
func (t *Tuner) begin(now time.Time) {
	t.since, t.work, t.events, t.busy, t.took, t.draining = now, 0, 0, 0, t.took[:0], false
}

// step remembers a number. It requires that mu is held.
func (t *Tuner) step(n int) {
	if len(t.steps) == maxSteps {
		for i := range maxSteps / 2 {
			t.steps[i] = t.steps[2*i]
		}
		t.steps = t.steps[:maxSteps/2]
	}
	t.steps = append(t.steps, Step{After: time.Since(t.made), Workers: n})
	if t.Tell != nil {
		t.Tell(n)
	}
}

// check lets one more worker go on where those that have room come to nothing: what they wait for may be held by one that
// has none, as by the idle connection of a server that serves one connection at a time.
func (t *Tuner) check() {
	busy, active, parked := t.load()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	now := time.Now()
	quiet := max(leastQuiet, 4*t.gap*time.Duration(active))
	if busy > 0 && parked > 0 && now.Sub(t.last) > quiet {
		t.last = now
		t.climb.stay(active + 1)
		t.hold(active+1, now)
	}
	t.timer.Reset(checkEvery)
}

// Stop ends the changes.
func (t *Tuner) Stop() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.timer.Stop()
}

// Steps returns the numbers that there were, in order, those of tries too: all of them, or where they are very many, some.
func (t *Tuner) Steps() []Step {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.steps)
}

// Settled returns the best number that was found.
func (t *Tuner) Settled() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.climb.base == 0 {
		return t.climb.n
	}
	return t.climb.base
}

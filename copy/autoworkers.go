package copy

import (
	"time"

	"pace/limiter"
	"pace/limiter/progress"
)

// DefaultMaxWorkers is what AutoWorkers goes up to unless told otherwise. Each worker has the memory of a chunk or more, and
// no disk and hardly any network gains from as many.
const DefaultMaxWorkers = 32

const (
	// farWorkers is what AutoWorkers begins with where there is a network: a server that answers one request at a time is to
	// get no more than twice as many.
	farWorkers = 2
	// window is the least time over which throughput is measured. Caches and new connections make it uneven.
	window = 100 * time.Millisecond
	// perItem is how many bytes are as much work as what each file costs beside its bytes.
	perItem = 64 * kib
)

// crew returns how many workers copy, now and later.
func (r *run) crew() *limiter.Workers {
	if !r.AutoWorkers || r.Mode == limiter.Sequential {
		return limiter.FixedWorkers(r.width)
	}
	r.tuner = tune(r.Progress, r.firstWorkers(), r.width)
	r.engine.surplus = r.tuner.Workers().Surplus
	return r.tuner.Workers()
}

// firstWorkers is how many workers there are at first.
func (r *run) firstWorkers() int {
	switch {
	case !r.AutoWorkers:
		return r.width
	case r.anyRemote():
		return min(farWorkers, r.width)
	}
	return min(DefaultWorkers(r.Mode), r.width)
}

// tune begins to find a number of workers by what they tell their progress.
func tune(p *progress.Counter, start, most int) *limiter.Tuner {
	t := limiter.NewTuner(limiter.Tuning{
		Start: start, Most: most, Window: window, Waiting: p.Waiting, Tell: p.SetWorkers,
	})
	p.Watch(func(bytes, items int64) { t.Done(float64(bytes+items*perItem), 0) })
	return t
}

func stopTuning(t *limiter.Tuner, p *progress.Counter) {
	t.Stop()
	p.Watch(nil)
}

// tuned puts into a report what a tuner has found, if there is one.
func (r *Report) tuned(t *limiter.Tuner, most int) {
	if t != nil {
		r.Workers, r.WorkerSteps, r.CPUs = t.Settled(), t.Steps(), most
	}
}

// crew returns how many workers verify, now and later.
func (v *verifier) crew() *limiter.Workers {
	if !v.AutoWorkers {
		return limiter.FixedWorkers(v.Workers)
	}
	v.tuner = tune(v.Progress, DefaultVerifyWorkers(v.Mode), v.MaxWorkers)
	return v.tuner.Workers()
}

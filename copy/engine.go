package copy

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// job is one thing that a worker does. It does not know its mode.
type job func(context.Context) error

// engine hands out the jobs of a run: files that were found large first, then what the sources bring next, and chunks of
// files that others have begun when there is nothing else. Writes to one file wait for one another in the kernel, so a
// worker stays with the file that it has begun, and the others keep away as long as they can. No more large files are
// open than there are workers, and the walk is never far ahead of the copying.
type engine struct {
	source func(context.Context) (job, error) // what comes next; io.EOF at the end, errBusy before what has to wait

	mu      sync.Mutex
	changed sync.Cond
	begun   []shared // with chunks not taken yet
	waiting []job    // that begin large files
	running int      // jobs that have not ended: they may still bring others
	ended   bool     // so has the source

	surplus func() bool // one worker too many works; nil if that cannot be

	hungry atomic.Bool // a worker waits, and the source has nothing for it
}

// shared is a file that was begun, and whose chunks any worker can copy.
type shared interface {
	// chunks are those that are not taken yet, of which there is one. The engine guards them.
	chunks() *cutter
	chunkJob(context.Context, chunk) error
}

func newEngine(source func(context.Context) (job, error)) *engine {
	e := &engine{source: source}
	e.changed.L = &e.mu
	return e
}

// errBusy is what a source says when all that it brought has to be done before it brings more.
var errBusy = errors.New("not before the jobs of the last source have ended")

// busy says whether a job has not ended.
func (e *engine) busy() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running > 0 || len(e.begun)+len(e.waiting) > 0
}

// next is called by one worker at a time.
func (e *engine) next(ctx context.Context) (job, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ctx.Err() == nil {
		if len(e.waiting) > 0 {
			j := e.waiting[0]
			e.waiting = e.waiting[1:]
			return e.bring(j), nil
		}
		if !e.ended {
			e.mu.Unlock()
			j, err := e.source(ctx)
			e.mu.Lock()
			if errors.Is(err, errBusy) {
				if j := e.help(); j != nil {
					return j, nil
				}
				if len(e.waiting) == 0 && e.running > 0 {
					e.wait()
				}
				continue
			}
			if err != nil && err != io.EOF {
				return nil, err
			}
			if e.ended = err == io.EOF; !e.ended {
				return e.bring(j), nil
			}
			continue
		}
		if j := e.help(); j != nil {
			return j, nil
		}
		if e.running == 0 {
			return nil, io.EOF
		}
		// Those that run end when ctx is cancelled, so this needs no watch on it.
		e.wait()
	}
	return nil, context.Cause(ctx)
}

// wait returns when a job has ended or was brought. It requires that mu is held.
func (e *engine) wait() {
	e.hungry.Store(true)
	e.changed.Wait()
	e.hungry.Store(false)
}

// offer hands j to a worker that waits. It is false if none does.
func (e *engine) offer(j job) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.hungry.Load() {
		return false
	}
	e.hungry.Store(false) // one job is enough for it
	e.waiting = append(e.waiting, j)
	e.changed.Broadcast()
	return true
}

// help returns the job of copying chunks of a file that another worker has begun. It requires that mu is held.
func (e *engine) help() job {
	if len(e.begun) == 0 {
		return nil
	}
	f := e.begun[0]
	c := e.take(f)
	return e.bring(func(ctx context.Context) error { return e.work(ctx, f, c) })
}

// take returns a chunk of f, a file in begun. It requires that mu is held.
func (e *engine) take(f shared) chunk {
	c, last := f.chunks().next()
	if last {
		e.begun = slices.DeleteFunc(e.begun, func(g shared) bool { return g == f })
	}
	return c
}

// work copies c and then what others leave of the chunks of f.
func (e *engine) work(ctx context.Context, f shared, c chunk) error {
	for {
		if err := f.chunkJob(ctx, c); err != nil {
			return err
		}
		if e.surplus != nil && e.surplus() {
			return nil // others go on with f
		}
		e.mu.Lock()
		if !slices.Contains(e.begun, f) {
			e.mu.Unlock()
			return nil
		}
		c = e.take(f)
		e.mu.Unlock()
	}
}

// bring returns j as a job that may bring others. It requires that mu is held.
func (e *engine) bring(j job) job {
	e.running++
	return func(ctx context.Context) error {
		defer func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.running--
			e.changed.Broadcast()
		}()
		return j(ctx)
	}
}

// later hands j out before anything new from the source.
func (e *engine) later(j job) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = append(e.waiting, j)
	e.changed.Broadcast()
}

// share copies the chunks of f, which has some, and lets others help.
func (e *engine) share(ctx context.Context, f shared) error {
	e.mu.Lock()
	e.begun = append(e.begun, f)
	c := e.take(f)
	e.changed.Broadcast()
	e.mu.Unlock()
	return e.work(ctx, f, c)
}

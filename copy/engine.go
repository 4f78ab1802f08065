package copy

import (
	"context"
	"errors"
	"io"
	"sync"
)

// job is one thing that a worker does. It does not know its mode.
type job func(context.Context) error

// engine hands out the jobs of a run: chunks of files that have begun first, then files that were found large, then what
// the sources bring next. So few files are open at a time, and the walk is never far ahead of the copying.
type engine struct {
	source func(context.Context) (job, error) // what comes next; io.EOF at the end, errBusy before what has to wait

	mu      sync.Mutex
	changed sync.Cond
	begun   []*file // with chunks not handed out yet
	waiting []job   // that begin large files
	running int     // jobs that have not ended: they may still bring others
	ended   bool    // so has the source
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
		if j := e.ready(); j != nil {
			return j, nil
		}
		if !e.ended {
			e.mu.Unlock()
			j, err := e.source(ctx)
			e.mu.Lock()
			if err == errBusy {
				if len(e.begun)+len(e.waiting) == 0 && e.running > 0 {
					e.changed.Wait()
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
		if e.running == 0 {
			return nil, io.EOF
		}
		// Those that run end when ctx is cancelled, so this needs no watch on it.
		e.changed.Wait()
	}
	return nil, context.Cause(ctx)
}

// ready returns a job that needs no source. It requires that mu is held.
func (e *engine) ready() job {
	if len(e.begun) > 0 {
		f := e.begun[0]
		c, last := f.nextChunk()
		if last {
			e.begun = e.begun[1:]
		}
		return e.bring(func(ctx context.Context) error { return f.chunkJob(ctx, c) })
	}
	if len(e.waiting) > 0 {
		j := e.waiting[0]
		e.waiting = e.waiting[1:]
		return e.bring(j)
	}
	return nil
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

// chunks hands out the chunks of f, which has some.
func (e *engine) chunks(f *file) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begun = append(e.begun, f)
	e.changed.Broadcast()
}

package limiter

import "context"

// Worker is one of those who do the jobs of [Each].
type Worker struct {
	Number int // from 0, in the order in which they start
	// Thread is the OS thread that the worker has to itself, as the system numbers it. It is 0 in Async, where a worker
	// moves between threads, and where the system does not tell.
	Thread int
}

type workerKey struct{}

// WorkerOf returns who does the job that ctx was given to.
func WorkerOf(ctx context.Context) (w Worker, ok bool) {
	w, ok = ctx.Value(workerKey{}).(Worker)
	return w, ok
}

// SameWorker returns ctx with the worker of another context, for a job that goes on under the context of many.
func SameWorker(ctx, of context.Context) context.Context {
	w, ok := WorkerOf(of)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, workerKey{}, w)
}

// asWorker returns ctx for the next worker of the crew, whose goroutine calls it.
func (c *crew[J]) asWorker(ctx context.Context) context.Context {
	w := Worker{Number: int(c.started.Add(1) - 1)}
	if c.mode != Async {
		w.Thread = threadID()
	}
	return context.WithValue(ctx, workerKey{}, w)
}

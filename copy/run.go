package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime"

	"pace/limiter"
	"pace/limiter/progress"
)

// run is one call of [Run].
type run struct {
	Options
	items   []item
	chunk   int64 // bytes of one operation
	width   int   // chunks in flight
	driver  driver
	created map[string]fs.FileInfo // the destinations that this run has made, with their sources

	// Tests put faults here.
	openRing func(workers int, size int64) (driver, error)
	wrap     func(driver) driver
}

// Run copies what o says, one source after another, the chunks of each in parallel.
//
// An item that fails is told to o.Log and counted in the Report, and the others go on; Run then returns nil. It returns
// an error when the run cannot go on, which is the same thing for a single item that cannot start:
//
//   - a [*UsageError] if sources and destination do not go together;
//   - an error that matches ctx.Err() if ctx was cancelled;
//   - a [*SpaceError] if the file system is full;
//   - any other error for what the single item needs and does not have.
//
// The Report is right whether there is an error or not. A file that is not whole never has its final name.
func Run(ctx context.Context, o Options) (Report, error) {
	return newRun(o).run(ctx)
}

func newRun(o Options) *run {
	if o.Progress == nil {
		o.Progress = progress.New()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &run{
		Options: o, created: map[string]fs.FileInfo{},
		openRing: openRing, wrap: func(d driver) driver { return d },
	}
}

func (r *run) run(ctx context.Context) (Report, error) {
	report := Report{Backend: backendOf(r.Mode), Workers: r.workers()}
	var err error
	if r.items, err = plan(&r.Options); err == nil {
		report.Backend, err = r.drive(ctx)
	}
	report.CPUs = report.Workers
	if report.Backend == backendRing {
		report.CPUs = 1
	}
	report.Totals = r.Progress.Totals()
	return report, err
}

// drive copies all items, and returns which backend did it.
func (r *run) drive(ctx context.Context) (backend string, err error) {
	if r.Mode == limiter.Sequential {
		// limiter.Each keeps one file on one thread; this keeps all of them on the same one.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	r.size()
	r.driver, backend = r.openDriver()
	r.driver = r.wrap(r.driver)
	defer func() {
		if e := r.driver.close(); err == nil {
			err = e
		}
	}()
	for _, it := range r.items {
		if err := r.one(ctx, it); err != nil {
			return backend, err
		}
	}
	return backend, nil
}

// size decides how large and how many chunks are, and tells the progress what there is to do. Small sources need
// neither large buffers nor many.
func (r *run) size() {
	largest := int64(minBuffer)
	for _, it := range r.items {
		size := int64(0)
		if it.err == nil && it.info.Mode().IsRegular() {
			size = it.info.Size()
		}
		r.Progress.Grow(1, size)
		largest = max(largest, size)
	}
	r.Progress.SetTotalKnown()
	r.chunk = min(r.chunkSize(), largest)
	r.width = int(min(int64(r.workers()), (largest-1)/r.chunk+1))
}

// one copies one item. Its error is one that ends the run.
func (r *run) one(ctx context.Context, it item) error {
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	begun, err := r.copy(ctx, it)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return cancelled(ctx)
	}
	r.Progress.ItemFailed(it.src, err)
	if !begun && len(r.items) == 1 || noSpace(err) {
		return err
	}
	r.Log.Error("cannot copy", "item", it.src, "error", err)
	return nil
}

// copy copies one item. begun says whether its bytes had begun to move.
func (r *run) copy(ctx context.Context, it item) (begun bool, err error) {
	t, err := r.target(it)
	if err != nil {
		return false, err
	}
	if t.skip {
		r.Progress.ItemSkipped()
		return false, nil
	}
	f := &file{run: r, item: it, target: t}
	if err := f.copy(ctx); err != nil {
		return f.begun, err
	}
	if f.skip {
		r.Progress.ItemSkipped()
		return true, nil
	}
	r.created[it.dst] = it.info
	r.Progress.ItemDone()
	if r.Verbose != nil {
		r.Verbose(it.src, it.dst)
	}
	return true, nil
}

// cancelled returns an error that matches ctx.Err() and says why.
func cancelled(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}

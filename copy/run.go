package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"pace/limiter"
	"pace/limiter/exchange"
	"pace/limiter/progress"
)

// run is one call of [Run].
type run struct {
	Options
	items    []item
	at       int                    // the item that comes next
	walk     *walk                  // of the item before, if it is a tree
	dests    map[string]fs.FileInfo // the destinations of items that came already, with their sources
	works    map[string]string      // the paths of their part files and journals, with those of the destinations
	merges   bool                   // several items go into one folder: each begins when the one before is done
	chunk    int64                  // bytes of one operation
	width    int                    // jobs at once
	perBatch int                    // files that are copied together
	driver   driver
	engine   *engine
	live     live
	tuner    *limiter.Tuner // with AutoWorkers
	links    links

	warnings atomic.Int64
	warned   sync.Map     // what kinds of them
	telling  sync.Mutex   // held while Verbose or Removed is called
	removed  atomic.Int64 // entries, and those that MaxDelete has forbidden

	overLimit atomic.Bool // it has forbidden one, which was told

	// Tests put faults here.
	openRing func(workers, more int, size int64) (driver, error)
	wrap     func(driver) driver
	ranges   rangeCopier
	sized    func()

	syncEvery int64

	markPatience time.Duration // how long a fleet's mark is waited for; 0 is markPatience

	web         *web          // if a source is a URL
	store       *store        // if one is in an object store, or goes there
	feed        feed          // the jobs of the tree that is or goes there; nil for none
	speedWindow time.Duration // of [exchange.Options]
	backoff     func(n int) time.Duration
	unopened    atomic.Int64 // sources that are URLs
	umask       fs.FileMode  // if a source is a URL: nobody else asks what a new file's mode is
	claiming    sync.Mutex   // held while a destination is claimed

	noRanges sync.Map // devices between which the kernel copies nothing
}

// Run copies what o says, files in parallel and the chunks of large files in parallel.
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
	o.Recursive = o.Recursive || o.Archive
	r := &run{
		Options: o, dests: map[string]fs.FileInfo{}, works: map[string]string{},
		openRing: openRing, wrap: func(d driver) driver { return d }, ranges: kernelRanges,
		syncEvery: syncEvery,
	}
	r.links.init()
	r.live.all = map[abandoner]bool{}
	r.engine = newEngine(r.nextJob)
	r.sized, r.backoff = r.size, exchange.Backoff
	return r
}

func (r *run) run(ctx context.Context) (Report, error) {
	if r.Fleet != nil {
		return r.runFleet(ctx)
	}
	report := Report{Backend: backendOf(r.Mode), Workers: r.workers()}
	var err error
	if r.items, err = plan(&r.Options); err == nil {
		if r.anyRemote() {
			r.umask = umask() // no worker makes files yet
		}
		r.merges = mergesAny(&r.Options, r.items)
		report.Backend, err = r.drive(ctx)
	}
	return r.withTotals(report), err
}

func (r *run) withTotals(report Report) Report {
	report.CPUs = report.Workers
	report.tuned(r.tuner, r.width)
	if report.Backend == backendRing {
		report.CPUs = 1
	}
	report.Totals = r.Progress.Totals()
	report.Warnings = r.warnings.Load()
	return report
}

// drive copies all items, and returns which backend did it.
func (r *run) drive(ctx context.Context) (backend string, err error) {
	if r.Mode == limiter.Sequential {
		// limiter.Each keeps one file on one thread; this keeps all of them on the same one.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	r.sized()
	if r.anyRemote() {
		r.web = r.openWeb()
		defer r.web.client.Close()
		if r.store, err = r.web.openStoreIfAny(); err != nil {
			return backend, err
		}
		defer r.store.close()
	}
	r.driver, backend = r.openDriver()
	r.driver = r.wrap(r.driver)
	defer func() {
		if e := r.driver.close(); err == nil {
			err = e
		}
	}()
	if r.web != nil {
		backend = r.web.client.Backend()
	}
	defer r.live.abandon()
	workers := r.crew()
	defer func() { stopTuning(r.tuner, r.Progress) }()
	err = limiter.EachOf(ctx, r.Mode, workers, r.engine.next, func(ctx context.Context, j job) error { return j(ctx) })
	switch {
	case err != nil && ctx.Err() != nil:
		err = cancelled(ctx)
	case errors.Is(err, errFailFast):
		err = nil // it was told and counted
	}
	return backend, err
}

// size decides how large chunks are and how many jobs run at once, and tells the progress what it knows of what there is
// to do. Small sources need neither large buffers nor many; how large a tree is nobody knows yet.
func (r *run) size() {
	largest, trees := int64(minBuffer), false
	for _, it := range r.items {
		if it.isTree(&r.Options) {
			trees = true
			continue
		}
		size := it.size()
		r.Progress.Grow(1, size)
		largest = max(largest, size)
	}
	if r.anyRemote() {
		r.sizeForNetwork(largest)
		return
	}
	if trees {
		r.chunk, r.width = r.chunkSize(), r.workers()
		r.fit(descriptorLimit())
		return
	}
	r.Progress.SetTotalKnown()
	r.chunk = min(r.chunkSize(), largest)
	jobs := int64(0)
	for _, it := range r.items {
		jobs = min(jobs+max((it.size()-1)/r.chunk+1, 1), int64(r.workers()))
	}
	r.width = int(jobs)
}

// nextJob returns what comes next of the sources, one after another. It is called by one worker at a time.
func (r *run) nextJob(ctx context.Context) (job, error) {
	for {
		if r.walk != nil {
			all, err := r.walk.next(ctx)
			if err == nil {
				return func(ctx context.Context) error { return r.copyPortions(ctx, all) }, nil
			}
			if err != io.EOF {
				return nil, err
			}
			r.walk = nil
		}
		if r.feed != nil {
			if j, err := r.feed(ctx); err != io.EOF {
				return j, err
			}
			r.feed = nil
		}
		if r.at == len(r.items) {
			if r.web == nil {
				r.Progress.SetTotalKnown()
			}
			return nil, io.EOF
		}
		if r.merges && r.engine.busy() {
			return nil, errBusy
		}
		it := r.items[r.at]
		r.at++
		if it.prefix {
			r.feed = r.feedOf(it)
			continue
		}
		if it.remote() {
			return func(ctx context.Context) error { return r.copyRemote(ctx, it) }, nil
		}
		if skip, err := r.claim(it); skip || err != nil {
			if err := r.unclaimed(ctx, it, err); err != nil {
				return nil, err
			}
			continue
		}
		if !it.isTree(&r.Options) {
			return func(ctx context.Context) error { return r.copyItem(ctx, it) }, nil
		}
		root, err := r.openTree(ctx, it)
		if err != nil {
			if err := r.failed(ctx, it.src, err, false); err != nil {
				return nil, err
			}
			continue
		}
		r.walk = newWalk(root)
		if err := root.tree.reportMissing(ctx); err != nil {
			return nil, err
		}
	}
}

// copyItem is the job that begins a source of its own that is no tree. Its error is one that ends the run.
func (r *run) copyItem(ctx context.Context, it item) error {
	if r.Output != nil {
		return r.copyOut(ctx, it)
	}
	t, err := r.target(it)
	if err != nil {
		return r.failed(ctx, it.src, err, false)
	}
	if t.skip {
		r.Progress.ItemSkipped()
		return nil
	}
	if !it.info.Mode().IsRegular() {
		return r.copyItemSpecial(ctx, it, t)
	}
	if r.DryRun && (!r.Checksum || t.inPlace != 0) {
		r.tell(it.src, it.dst)
		return nil
	}
	f := &file{
		incoming: incoming{run: r, meta: metaOfInfo(it.info)}, from: place{shown: it.src}, inPlace: t.inPlace,
	}
	if f.to = (place{shown: t.path}); t.inPlace == 0 {
		if f.to, err = openParent(t.path); err != nil {
			return r.failed(ctx, it.src, fmt.Errorf("cannot create %s: %w", t.path, because(err)), false)
		}
		f.given = f.to.dir
	}
	if r.Archive && f.meta.nlink > 1 && f.inPlace == 0 && !r.DryRun {
		f.group = r.links.of(f.meta)
		return f.group.copy(ctx, nil, f)
	}
	return f.start(ctx)
}

// copyItemSpecial copies a source that is a symlink or a special file, in a recursive copy.
func (r *run) copyItemSpecial(ctx context.Context, it item, t target) error {
	skipped, err := r.specialItem(it, t)
	switch {
	case err != nil:
		return r.failed(ctx, it.src, err, false)
	case skipped:
		r.Progress.ItemSkipped()
	case r.DryRun:
		r.tell(it.src, it.dst)
	default:
		r.done(it.src, it.dst)
	}
	return nil
}

func (r *run) specialItem(it item, t target) (skipped bool, err error) {
	from, err := openParent(it.src)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", it.src, because(err))
	}
	defer func() { _ = from.dir.close() }()
	to, err := openParent(t.path)
	if err != nil {
		return false, fmt.Errorf("cannot create %s: %w", it.dst, because(err))
	}
	defer func() { _ = to.dir.close() }()
	if r.DryRun {
		return r.dryEntry(to, metaOfInfo(it.info), from)
	}
	m := metaOfInfo(it.info)
	return r.linkOrMake(from, to, m, to.home(), func() (bool, error) { return r.makeSpecial(from, to, m) })
}

// failed counts an item that failed. The error returned is one that ends the run.
func (r *run) failed(ctx context.Context, item string, err error, begun bool) error {
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	r.Progress.ItemFailed(item, err)
	if !begun && len(r.items) == 1 || noSpace(err) || r.refused(err) {
		return err
	}
	r.Log.Error("cannot copy", "item", item, "error", err)
	if r.FailFast {
		return errFailFast
	}
	return nil
}

var errFailFast = errors.New("an item failed")

// done counts an item that was copied.
func (r *run) done(src, dst string) {
	r.Progress.ItemDone()
	r.tell(src, dst)
}

// tell says that src was copied to dst, or would be.
func (r *run) tell(src, dst string) {
	if r.Verbose != nil {
		r.telling.Lock()
		defer r.telling.Unlock()
		r.Verbose(src, dst)
	}
}

// cancelled returns an error that matches ctx.Err() and says why.
func cancelled(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}

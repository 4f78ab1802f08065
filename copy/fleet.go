package copy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"pace/limiter"
	"pace/limiter/fleet"
)

// A fleet's copy is a run whose jobs are leased from a job that many processes share, instead of found by a walk. What is
// to be done is items: a folder to list, some small files, a large file to begin, a chunk of one. Each can be done again
// by another worker when its first has died or was too late: whatever it makes is the same.
//
// All in a folder, and all chunks of a file, are a group of the job, whose end is queued when the last of it is done: then a
// file gets its name, and a folder its times. Folders end before the folders that they are in.

// fleetRun is one worker's part in a fleet's copy.
type fleetRun struct {
	*run
	job       *fleet.Job
	plan      fleetPlan
	shelves   []shelf
	ground    ground
	feed      *fleetFeed
	works     works
	made      madeFolders
	drained   bool
	hasMarked bool        // this worker has put the job's mark there
	served    atomic.Bool // this worker has copied something
}

// FleetAttempts is after how many workers that ended with it in hand an item of a fleet's copy is given up, unless told
// otherwise: that many are killed in a row without any fault of what they had in hand.
const FleetAttempts = 100

// checkFleet refuses what a fleet's copy cannot keep to.
func checkFleet(o *Options) error {
	switch {
	case runtime.GOOS == "windows":
		return usagef("a fleet does not copy on Windows")
	case o.Output != nil:
		return usagef("a fleet copies to files: the workers write in no order")
	case o.Delete:
		return usagef("a fleet does not delete: another worker may still bring what the source has")
	case o.Only != nil:
		return usagef("a fleet takes no list of files: use filters")
	case o.Expect != nil:
		return usagef("a fleet has no digest to expect: no worker reads the whole file; --verify compares what each has written")
	case o.DryRun:
		return usagef("a fleet has no dry run: leave the fleet out")
	case o.NoResume:
		return usagef("a fleet always goes on where it was; pace fleet delete forgets the job")
	case o.FailFast:
		return usagef("a fleet does not end with the first failure: other workers go on")
	case o.Reflink == ReflinkAlways:
		return usagef("a fleet shares no data between files")
	case o.Direct:
		return usagef("a fleet moves all data through the page cache")
	}
	for _, src := range o.Sources {
		if isHTTP(src) {
			return usagef("%s: a fleet does not copy from web servers", shownURL(src))
		}
	}
	return nil
}

// runFleet is run for one worker of a fleet.
func (r *run) runFleet(ctx context.Context) (Report, error) {
	report := Report{Backend: backendOf(r.Mode), Workers: r.workers()}
	err := checkFleet(&r.Options)
	if err == nil {
		err = check(&r.Options)
	}
	if err != nil {
		return r.withTotals(report), err
	}
	f := &fleetRun{run: r}
	defer f.closeFleetStore()
	if err := f.openFleetStore(); err != nil {
		return r.withTotals(report), err
	}
	over, failed, err := f.join(ctx)
	if err != nil || over {
		report.FailedElsewhere = failed
		return r.withTotals(report), err
	}
	report.Backend, err = f.work(ctx)
	report = r.withTotals(report)
	if err == nil && !f.drained {
		report.FailedElsewhere, err = f.failedElsewhere(ctx, report.ItemsFailed)
	}
	if leaveErr := f.leave(); err == nil {
		err = leaveErr
	}
	return report, err
}

// join takes part in the job, or makes it. over says that it was finished before, with so many failures.
func (f *fleetRun) join(ctx context.Context) (over bool, failed int64, err error) {
	fo := *f.Fleet
	fo.MaxAttempts = cmp.Or(fo.MaxAttempts, FleetAttempts)
	if fo.Log == nil {
		fo.Log = f.Log
	}
	if over, failed, err = f.isOver(ctx, fo); over || err != nil {
		return over, failed, err
	}
	plan, err := f.planFleet(ctx)
	if err != nil {
		return false, 0, err
	}
	if f.job, err = fleet.Open(ctx, fo); err != nil {
		return false, 0, otherOptions(err)
	}
	if f.Rate != nil {
		f.Rate = f.job.Rate("bytes", f.Rate.PerSecond())
	}
	if f.IOPS != nil {
		f.IOPS = f.job.Rate("operations", f.IOPS.PerSecond())
	}
	if err = f.agree(ctx, plan); err == nil {
		return false, 0, nil
	}
	_ = f.leave()
	if errors.Is(err, errDrained) {
		f.Log.Warn(err.Error())
		return true, 0, nil
	}
	return false, 0, err
}

// isOver looks whether the job was finished before.
func (f *fleetRun) isOver(ctx context.Context, fo fleet.Options) (over bool, failed int64, err error) {
	f.job, err = fleet.Look(ctx, fo)
	if errors.Is(err, fleet.ErrNoJob) {
		return false, 0, nil
	}
	if err != nil {
		return false, 0, err
	}
	finished := f.job.Record().Finished
	if err = f.job.Compare(); err == nil && !finished.IsZero() {
		over = true
		f.Log.Warn(fmt.Sprintf("the job %s was finished at %s: nothing of it is left to do", fo.Job,
			finished.UTC().Format(time.RFC3339)))
		failed, err = f.failedElsewhere(ctx, 0)
	}
	if leaveErr := f.job.Leave(); err == nil {
		err = leaveErr
	}
	return over, failed, otherOptions(err)
}

// otherOptions lets options that are not those of the job be a usage error.
func otherOptions(err error) error {
	if different := (*fleet.OptionsError)(nil); errors.As(err, &different) {
		return &UsageError{different.Error()}
	}
	return err
}

// work does what there is to do, until there is no more.
func (f *fleetRun) work(ctx context.Context) (backend string, err error) {
	f.chunk, f.width = f.chunkSize(), f.workers()
	f.fit(descriptorLimit())
	f.works.init(f)
	f.feed = newFleetFeed(f)
	defer func() {
		if e := f.feed.end(); err == nil {
			err = e
		}
		f.works.closeAll()
	}()
	f.engine = newEngine(f.feed.next)
	return f.driveJobs(ctx)
}

// failedElsewhere returns how many items of the job have failed for good that this worker does not know of.
func (f *fleetRun) failedElsewhere(ctx context.Context, mine int64) (int64, error) {
	failed, _, err := f.job.Failed(ctx)
	if err != nil {
		return 0, err
	}
	counts, err := f.job.Counts(ctx)
	if err != nil {
		return 0, err
	}
	others := max(0, failed-mine) + counts.Dead
	if others > 0 {
		f.Log.Error(fmt.Sprintf("failed for other workers: %d; pace fleet status names them", others))
	}
	return others, nil
}

const fleetPatience = 5 * time.Second // for giving leases back at the end

// leave gives everything back.
func (f *fleetRun) leave() error {
	f.closePlaces()
	ctx, cancel := context.WithTimeout(context.Background(), fleetPatience)
	defer cancel()
	return f.job.Close(ctx)
}

// release gives leases back, also when the run is being stopped: nobody else would.
func (f *fleetRun) release(ctx context.Context, released ...fleet.Released) error {
	if len(released) == 0 {
		return nil
	}
	if err := f.job.Release(ctx, released...); ctx.Err() == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fleetPatience)
	defer cancel()
	return f.job.Release(ctx, released...)
}

func (f *fleetRun) closePlaces() {
	for _, s := range f.shelves {
		s.close()
	}
	f.shelves = nil
	if f.ground != nil {
		f.ground.close()
		f.ground = nil
	}
}

// failItem counts an item that has failed, and tells all workers. The error returned is one that ends the run.
func (f *fleetRun) failItem(ctx context.Context, item string, err error) error {
	if e := f.job.Fail(ctx, item, err); e != nil {
		return ofJob(e)
	}
	return f.failed(ctx, item, err, true)
}

// driveJobs does the jobs of the feed, and returns which backend did it.
func (f *fleetRun) driveJobs(ctx context.Context) (backend string, err error) {
	if f.Mode == limiter.Sequential {
		// limiter.EachOf keeps one file on one thread; this keeps all of them on the same one.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	f.driver, backend = f.openDriver()
	f.driver = f.wrap(f.driver)
	defer func() {
		if e := f.driver.close(); err == nil {
			err = e
		}
	}()
	if f.web != nil {
		backend = f.web.client.Backend()
	}
	workers := f.crew()
	defer func() { stopTuning(f.tuner, f.Progress) }()
	err = limiter.EachOf(ctx, f.Mode, workers, f.engine.next, func(ctx context.Context, j job) error { return j(ctx) })
	if err != nil && ctx.Err() != nil {
		err = cancelled(ctx)
	}
	return backend, err
}

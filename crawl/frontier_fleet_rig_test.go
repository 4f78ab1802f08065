package crawl

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

// redisFor starts what a frontier needs, outside of its bubble: a process that runs would let its time stand still.
func redisFor(t testing.TB, name string) string {
	if name != "fleet" {
		return ""
	}
	return redistest.Start(t).URL
}

var jobs atomic.Int64

// lateEnd is a frontier whose job does not end before it is asked for something, as that of a crawl does not before its
// seeds are there.
type lateEnd struct {
	*fleetFrontier
	once sync.Once
}

func (f *lateEnd) next(ctx context.Context) (it *item, err error) {
	f.once.Do(func() { err = f.job.CloseSource(ctx, "test") })
	if err != nil {
		return nil, err
	}
	return f.fleetFrontier.next(ctx)
}

// fleetRig makes a job of which the test is the only worker.
func fleetRig(t testing.TB, r *rig, maxPages int, gate func(*item) *item) {
	t.Helper()
	job, err := fleet.Open(t.Context(), fleet.Options{
		URL: r.redis, Job: "job" + strconv.FormatInt(jobs.Add(1), 10), Lease: time.Hour, MaxCounted: maxPages,
	})
	if err == nil {
		err = job.OpenSource(t.Context(), "test")
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFleetFrontier(job, r.hosts, 1000, r.counter, gate, func(knownHost) {})
	if err != nil {
		t.Fatal(err)
	}
	f.setHostBudget(0, func(string) {})
	r.frontier, r.plan = &lateEnd{fleetFrontier: f}, &f.schedule
}

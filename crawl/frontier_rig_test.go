package crawl

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"pace/limiter"
	"pace/limiter/progress"
)

// rig is a frontier with what tests ask of it, and look into.
type rig struct {
	frontier
	plan    *schedule
	hosts   *limiter.Hosts
	counter *progress.Counter
	t       testing.TB
	redis   string // where a server is, for the frontier that needs one

	turn sync.Mutex // the ledger's
}

// makers are the frontiers that there are: each test of the contract runs with all of them.
var makers = map[string]func(t testing.TB, r *rig, maxPages int, gate func(*item) *item){
	"memory": func(_ testing.TB, r *rig, maxPages int, gate func(*item) *item) {
		f := newMemoryFrontier(r.hosts, maxPages, r.counter, gate)
		r.frontier, r.plan = f, &f.schedule
	},
	"disk": func(t testing.TB, r *rig, maxPages int, gate func(*item) *item) {
		r.open(t, vfs.NewMem(), 0, maxPages, gate)
	},
	"fleet": fleetRig,
}

// open opens a frontier on disk.
func (r *rig) open(t testing.TB, files vfs.FS, gap time.Duration, maxPages int, gate func(*item) *item) *recovery {
	t.Helper()
	s, err := openStore("state", nil, files)
	if err != nil {
		t.Fatal(err)
	}
	f, old, err := newDiskFrontier(s, r.hosts, gap, maxPages, r.counter, gate)
	if err != nil {
		t.Fatal(err)
	}
	r.frontier, r.plan = f, &f.schedule
	return old
}

func newRig(t testing.TB, rate float64, perHost int) *rig {
	return &rig{t: t, hosts: limiter.NewHosts(rate, perHost), counter: progress.New()}
}

// inEachFrontier runs a test in a bubble with each frontier.
func inEachFrontier(
	t *testing.T, rate float64, perHost, maxPages int, gate func(*item) *item, test func(t *testing.T, r *rig),
) {
	for name, make := range makers {
		t.Run(name, func(t *testing.T) {
			redis := redisFor(t, name)
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rate, perHost)
				r.redis = redis
				make(t, r, maxPages, gate)
				defer r.end()
				test(t, r)
			})
		})
	}
}

// end closes the frontier, inside the bubble.
func (r *rig) end() {
	if err := r.close(); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) must(changes ...*change) {
	if err := r.commit(changes, nil); err != nil {
		r.t.Error(err)
	}
}

// add admits pages, and returns how many of them were new.
func (r *rig) add(pages ...*item) int {
	r.turn.Lock()
	defer r.turn.Unlock()
	before := r.counter.Snapshot().ItemsTotal
	c := &change{}
	for _, page := range pages {
		c.found = append(c.found, foundPage{item: page})
	}
	r.must(c)
	return int(r.counter.Snapshot().ItemsTotal - before)
}

func (r *rig) done(it *item) {
	r.turn.Lock()
	defer r.turn.Unlock()
	r.must(&change{item: it})
}

// move moves an item unless the target has been seen.
func (r *rig) move(it *item, to URL) bool {
	r.turn.Lock()
	defer r.turn.Unlock()
	if it.robots == nil {
		if isNew, err := r.reserve(to.String()); err != nil || !isNew {
			return false
		}
	}
	r.must(&change{item: it, to: to})
	return true
}

// drain fetches all there is, each item taking d, with n workers, and returns the order in which they started.
func drain(t *testing.T, r *rig, n int, d time.Duration) (urls []string, at []time.Duration) {
	start := time.Now()
	var mu sync.Mutex
	err := limiter.Each(t.Context(), limiter.Async, n, r.next, func(_ context.Context, it *item) error {
		mu.Lock()
		urls, at = append(urls, it.url.String()), append(at, time.Since(start))
		mu.Unlock()
		r.started(it)
		time.Sleep(d)
		r.done(it)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return urls, at
}

package crawl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pace/limiter"
)

// visitor plays a crawl on a frontier alone: what becomes of each item is random, as is how long it takes.
type visitor struct {
	t *testing.T
	f *rig

	mu    sync.Mutex
	rnd   *rand.Rand
	asked time.Duration   // what a host that pushes back may ask for
	files map[string]bool // origins whose robots.txt is known or on its way, as crawler.files
	added int
	ended map[string]int
	busy  map[string]int
}

// roll returns a random number below n.
func (v *visitor) roll(n int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rnd.IntN(n)
}

// gate is as crawler.gate.
func (v *visitor) gate(it *item) *item {
	v.mu.Lock()
	defer v.mu.Unlock()
	origin := it.url.Origin()
	if v.files[origin] {
		return nil
	}
	v.files[origin] = true
	return &item{url: mustURL(v.t, origin+"/robots.txt"), robots: &robotsFile{origin: origin, host: it.url.Host()}}
}

// page returns the URL of a random page.
func (v *visitor) page() URL {
	host, port, path := v.roll(4), v.roll(3), v.roll(60)
	return mustURL(v.t, fmt.Sprintf("http://h%d:%d/%d", host, 80+port, path))
}

// pages returns random pages; the first is twice in them.
func (v *visitor) pages(n int) []*item {
	var pages []*item
	for range n {
		to := v.page()
		pages = append(pages, &item{url: to, first: to.String()})
	}
	if n > 0 {
		pages = append(pages, pages[0])
	}
	return pages
}

func (v *visitor) add(n int) {
	added := v.f.add(v.pages(n)...)
	v.mu.Lock()
	v.added += added
	v.mu.Unlock()
}

// next hands out an item, and counts how many its host has.
func (v *visitor) next(ctx context.Context) (*item, error) {
	it, err := v.f.next(ctx)
	if err == nil {
		v.count(it, 1)
	}
	return it, err
}

func (v *visitor) count(it *item, n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	host := it.url.Host()
	if v.busy[host] += n; v.busy[host] > 2 {
		v.t.Errorf("%s has %d in flight", host, v.busy[host])
	}
}

// visit is the job: an item is started, or is not, takes a while, and goes one of the ways that items go.
func (v *visitor) visit(_ context.Context, it *item) error {
	time.Sleep(time.Duration(v.roll(3)) * 7 * time.Millisecond) // connecting
	if v.roll(5) > 0 {
		v.f.started(it)
	}
	time.Sleep(time.Duration(v.roll(4)) * 13 * time.Millisecond)
	if v.roll(10) == 0 {
		v.f.setDelay(it.url.Host(), time.Duration(v.roll(3))*100*time.Millisecond)
	}
	v.count(it, -1)
	switch way := v.roll(8); {
	case way == 0:
		v.f.retry(it, time.Now().Add(time.Duration(v.roll(3))*time.Second))
	case way == 1:
		v.f.retry(it, time.Now().Add(v.f.backOff(it, time.Duration(v.roll(2))*v.asked)))
	case way == 2 && it.robots != nil:
		v.f.move(it, mustURL(v.t, fmt.Sprintf("http://h%d/rules", v.roll(5))))
	case way == 2 && v.f.move(it, v.page()):
	case it.robots != nil:
		v.f.answered(it)
		v.f.openGate(it.robots.host)
		v.f.done(it)
	default:
		v.f.answered(it)
		v.add(v.roll(4))
		v.mu.Lock()
		v.ended[it.first]++
		v.mu.Unlock()
		v.f.done(it)
	}
	return nil
}

// TestFrontierUnderRandomFates lets everything happen to items that can. In a bubble a lost wake-up, a gate that stays
// shut or a host that stays blocked is a deadlock, which fails.
func TestFrontierUnderRandomFates(t *testing.T) {
	for name := range makers {
		t.Run(name, func(t *testing.T) {
			redis := redisFor(t, name)
			inEachMode(t, func(t *testing.T, m limiter.Mode) {
				seeds := uint64(20) // threads are slow to create
				switch {
				case name == "disk":
					seeds = 20
				case name == "fleet":
					seeds = 6
				case m == limiter.Async:
					seeds = 300
				}
				if raceDetector {
					seeds /= 2
				}
				for seed := range seeds {
					synctest.Test(t, func(t *testing.T) { randomFates(t, name, redis, m, seed) })
					if t.Failed() {
						t.Fatalf("seed %d", seed)
					}
				}
			})
		})
	}
}

func randomFates(t *testing.T, name, redis string, m limiter.Mode, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	gap := time.Duration(rnd.IntN(3)) * 50 * time.Millisecond
	rate := 0.0
	if gap > 0 {
		rate = float64(time.Second) / float64(gap)
	}
	v := &visitor{
		t: t, f: newRig(t, rate, 2), rnd: rnd, asked: time.Hour,
		files: map[string]bool{}, ended: map[string]int{}, busy: map[string]int{},
	}
	switch name {
	case "disk":
		v.asked = time.Minute // the database ticks ten times a second all the while
	case "fleet":
		v.asked = 5 * time.Second // the job is asked four times a second
	}
	v.f.redis = redis
	makers[name](t, v.f, 0, v.gate)
	defer v.f.end()
	last := map[string]time.Time{}
	v.f.plan.observe = func(it *item, at time.Time) {
		if before, again := last[it.url.Host()]; again && at.Sub(before) < gap {
			t.Errorf("%s: starts are %v apart", it.url, at.Sub(before))
		}
		last[it.url.Host()] = at
	}
	v.add(1 + rnd.IntN(5))
	if err := limiter.Each(t.Context(), m, 1+rnd.IntN(12), v.next, v.visit); err != nil {
		t.Error(err)
	}
	if plan := v.f.plan; len(v.ended) != v.added || len(plan.queues) != 0 || len(plan.ready) != 0 || plan.packed != 0 {
		t.Errorf("%d pages of %d have ended, %d queues are left with %d bytes",
			len(v.ended), v.added, len(plan.queues), plan.packed)
	}
	for first, n := range v.ended {
		if n != 1 {
			t.Errorf("%s has ended %d times", first, n)
		}
	}
}

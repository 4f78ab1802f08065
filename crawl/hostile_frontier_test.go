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
	f *frontier

	mu    sync.Mutex
	rnd   *rand.Rand
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

// admit queues a random page by one of the frontier's ways in, after the robots.txt of its origin.
func (v *visitor) admit(queue func(to URL, robots *item) bool) bool {
	host, port, path := v.roll(4), v.roll(3), v.roll(60)
	u := mustURL(v.t, fmt.Sprintf("http://h%d:%d/%d", host, 80+port, path))
	v.mu.Lock()
	defer v.mu.Unlock()
	var robots *item
	if !v.files[u.Origin()] {
		robots = &item{url: mustURL(v.t, u.Origin()+"/robots.txt"), robots: &robotsFile{origin: u.Origin(), host: u.Host()}}
	}
	if !queue(u, robots) {
		return false
	}
	v.files[u.Origin()] = true
	return true
}

func (v *visitor) add() {
	if v.admit(func(to URL, robots *item) bool { return v.f.add(&item{url: to, first: to.String()}, robots) }) {
		v.mu.Lock()
		v.added++
		v.mu.Unlock()
	}
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
		v.f.hosts.SetDelay(it.url.Host(), time.Duration(v.roll(3))*100*time.Millisecond)
	}
	v.count(it, -1)
	switch way := v.roll(8); {
	case way == 0:
		v.f.retry(it, time.Now().Add(time.Duration(v.roll(3))*time.Second))
	case way == 1:
		v.f.retry(it, time.Now().Add(v.f.backOff(it, time.Duration(v.roll(2))*time.Hour)))
	case way == 2 && it.robots != nil:
		v.f.move(it, mustURL(v.t, fmt.Sprintf("http://h%d/rules", v.roll(5))), nil)
	case way == 2 && v.admit(func(to URL, robots *item) bool { return v.f.move(it, to, robots) }):
	case it.robots != nil:
		v.f.answered(it)
		v.f.openGate(it.robots.host)
		v.f.done(it)
	default:
		v.f.answered(it)
		for range v.roll(4) {
			v.add()
		}
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
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		seeds := uint64(20) // threads are slow to create
		if m == limiter.Async {
			seeds = 300
		}
		for seed := range seeds {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 0))
				gap := time.Duration(rnd.IntN(3)) * 50 * time.Millisecond
				rate := 0.0
				if gap > 0 {
					rate = float64(time.Second) / float64(gap)
				}
				v := &visitor{
					t: t, f: testFrontier(rate, 2, 0), rnd: rnd,
					files: map[string]bool{}, ended: map[string]int{}, busy: map[string]int{},
				}
				last := map[string]time.Time{}
				v.f.observe = func(it *item, at time.Time) {
					if before, again := last[it.url.Host()]; again && at.Sub(before) < gap {
						t.Errorf("%s: starts are %v apart", it.url, at.Sub(before))
					}
					last[it.url.Host()] = at
				}
				for range 1 + rnd.IntN(5) {
					v.add()
				}
				if err := limiter.Each(t.Context(), m, 1+rnd.IntN(12), v.next, v.visit); err != nil {
					t.Error(err)
				}
				if len(v.ended) != v.added || len(v.f.queues) != 0 || len(v.f.ready) != 0 {
					t.Errorf("%d pages of %d have ended, %d queues are left", len(v.ended), v.added, len(v.f.queues))
				}
				for first, n := range v.ended {
					if n != 1 {
						t.Errorf("%s has ended %d times", first, n)
					}
				}
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			})
		}
	})
}

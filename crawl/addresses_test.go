package crawl

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pace/limiter"
)

// withAddresses gives a frontier a pace of addresses. The address of host a1 is a, and so on; a lookup takes d.
func withAddresses(f *rig, rate float64, atOnce int, d time.Duration) *rig {
	f.setAddresses(newAddresses(rate, atOnce, func(it *item) string {
		time.Sleep(d)
		return strings.TrimRight(it.url.Host(), "0123456789")
	}))
	return f
}

// memoryRig returns a frontier in memory.
func memoryRig(t *testing.T, rate float64, perHost int, gate func(*item) *item) *rig {
	r := newRig(t, rate, perHost)
	makers["memory"](t, r, 0, gate)
	return r
}

// TestAddressesShareTheirPace has hosts of one address, and one of another. Their addresses are found one after the other:
// found at one instant, a host could stand in line for its second start before another does for its first.
func TestAddressesShareTheirPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := memoryRig(t, 1, 2, nil)
		f.setAddresses(newAddresses(1, 2, func(it *item) string {
			host := it.url.Host()
			time.Sleep(time.Duration(host[1]-'0') * time.Millisecond)
			return host[:1]
		}))
		for i := range 2 {
			for _, host := range []string{"a1", "a2", "a3", "b1"} {
				f.add(pageItem(t, fmt.Sprintf("http://%s/%d", host, i)))
			}
		}
		urls, at := drain(t, f, 8, 10*time.Millisecond)
		byAddress := map[byte][]time.Duration{}
		hosts := map[byte]string{}
		for i, u := range urls {
			address := u[len("http://")]
			byAddress[address] = append(byAddress[address], at[i])
			hosts[address] += u[len("http://a"):][:1]
		}
		for address, starts := range byAddress {
			for i, d := range starts {
				if want := time.Duration(i)*time.Second + time.Millisecond; d != want {
					t.Errorf("%c: start %d is at %v, want %v", address, i, d, want)
				}
			}
		}
		if hosts['a'] != "123123" {
			t.Errorf("the hosts of one address go in the order %s", hosts['a'])
		}
		f.waitForLookups()
		if len(f.plan.addresses.lines) != 0 || len(f.plan.queues) != 0 {
			t.Errorf("%d lines and %d queues are left", len(f.plan.addresses.lines), len(f.plan.queues))
		}
	})
}

// TestSlowLookupHoldsUpNobody has a name server that never answers for one host.
func TestSlowLookupHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := memoryRig(t, 0, 0, nil)
		f.setAddresses(newAddresses(0, 1, func(it *item) string {
			if it.url.Host() == "slow" {
				time.Sleep(time.Hour)
			}
			return it.url.Host()
		}))
		for _, u := range []string{"http://slow/", "http://a/", "http://b/", "http://slow/2"} {
			f.add(pageItem(t, u))
		}
		urls, at := drain(t, f, 1, time.Second)
		slices.Sort(urls[:2]) // whose address is found first
		if got := strings.Join(urls, " "); got != "http://a/ http://b/ http://slow/ http://slow/2" || at[1] != time.Second || at[2] != time.Hour {
			t.Errorf("%s at %v", got, at)
		}
	})
}

// TestRandomAddresses lets hosts of few addresses do all that items can do. Every item must come to its end, and no
// address may have more in flight than it may, or starts closer than its gap.
func TestRandomAddresses(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			gap := time.Duration(rnd.IntN(3)) * 100 * time.Millisecond
			rate := 0.0
			if gap > 0 {
				rate = float64(time.Second) / float64(gap)
			}
			atOnce := rnd.IntN(4)
			asked := map[string]bool{} // the gate is called with the frontier's lock held
			gate := func(it *item) *item {
				if host := it.url.Host(); host[len(host)-1]%2 == 0 && !asked[host] {
					asked[host] = true
					return &item{url: mustURL(t, "http://"+host+"/robots.txt"), robots: &robotsFile{host: host}}
				}
				return nil
			}
			f := withAddresses(memoryRig(t, rate*float64(rnd.IntN(3)), rnd.IntN(3), gate), rate, atOnce, time.Duration(rnd.IntN(3))*time.Second)
			var mu sync.Mutex // guards what follows
			last, inFlight := map[byte]time.Time{}, map[byte]int{}
			n, done := 1+rnd.IntN(60), 0
			url := func() string {
				return fmt.Sprintf("http://%c%d/%d", 'a'+rnd.IntN(2), rnd.IntN(8), rnd.Int())
			}
			for range n {
				f.add(pageItem(t, url()))
			}
			f.hosts.SetDelay("a1", time.Duration(rnd.IntN(2))*time.Second)
			f.plan.refused["http://b1"] = rnd.IntN(2) == 0
			err := limiter.Each(t.Context(), limiter.Async, 1+rnd.IntN(8), f.next, func(_ context.Context, it *item) error {
				address := it.url.Host()[0]
				mu.Lock()
				fate, pause := rnd.IntN(10), time.Duration(rnd.IntN(500))*time.Millisecond
				starts := it.claimed && rnd.IntN(8) > 0
				if it.claimed {
					inFlight[address]++
				}
				if atOnce > 0 && inFlight[address] > atOnce {
					t.Errorf("seed %d: %d in flight on %c", seed, inFlight[address], address)
				}
				mu.Unlock()
				if starts {
					mu.Lock()
					if since := time.Since(last[address]); since < gap {
						t.Errorf("seed %d: two starts on %c are %v apart", seed, address, since)
					}
					last[address] = time.Now()
					mu.Unlock()
					f.started(it)
				}
				time.Sleep(pause)
				mu.Lock()
				if it.claimed {
					inFlight[address]--
				}
				to := mustURL(t, url())
				mu.Unlock()
				switch {
				case it.robots != nil:
					f.openGate(it.robots.host)
					f.done(it)
				case fate == 0:
					f.retry(it, time.Now().Add(pause))
				case fate == 1:
					f.backOff(it, 0)
					f.retry(it, time.Now().Add(pause))
				case fate == 2:
					f.move(it, to)
				default:
					mu.Lock()
					done++
					mu.Unlock()
					f.done(it)
				}
				return nil
			})
			if err != nil || done != n {
				t.Errorf("seed %d: %d of %d items are done: %v", seed, done, n, err)
			}
			f.waitForLookups()
			if left := slices.Collect(maps.Keys(f.plan.addresses.lines)); len(left) > 0 {
				t.Errorf("seed %d: lines are left: %v", seed, left)
			}
		})
	}
}

// TestManyHostsOfOneAddress is about the cost of a start: it must not grow with the hosts that wait.
func TestManyHostsOfOneAddress(t *testing.T) {
	const hosts = 5_000
	f := withAddresses(memoryRig(t, 0, 1, nil), 0, 1, 0)
	for i := range hosts {
		f.add(pageItem(t, fmt.Sprintf("http://a%d/", i)))
	}
	takes := 0
	for {
		it, at, err := f.plan.take(time.Now())
		if err == io.EOF {
			break
		}
		takes++
		if it == nil {
			if !at.IsZero() {
				t.Fatalf("it must wait until %v", at)
			}
			f.waitForLookups()
			continue
		}
		f.started(it)
		f.done(it)
	}
	if turns := f.plan.turns; turns > 8*hosts {
		t.Errorf("%d hosts were put into the heap %d times", hosts, turns)
	}
	if takes < hosts {
		t.Errorf("%d takes", takes)
	}
}

// TestPerIP crawls several hosts of one server.
func TestPerIP(t *testing.T) {
	const gap = 40 * time.Millisecond
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		var mu sync.Mutex
		now, peak := 0, 0
		page := func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			now++
			peak = max(peak, now)
			mu.Unlock()
			time.Sleep(3 * gap / 2)
			mu.Lock()
			now--
			mu.Unlock()
			htmlPage("")(w, r)
		}
		w := newWorld(t, map[string]http.HandlerFunc{"/": page, "/1": page, "/robots.txt": page})
		o := w.options(m)
		for _, host := range []string{"a", "b", "c", "d"} {
			o.Seeds = append(o.Seeds, "http://"+host+".test/", "http://"+host+".test/1")
		}
		o.PerIP, o.Rate = 2, float64(time.Second)/float64(gap)
		c, seeds, err := newCrawler(o)
		if err != nil {
			t.Fatal(err)
		}
		var starts []time.Time
		c.frontier.(*memoryFrontier).observe = func(_ *item, at time.Time) { starts = append(starts, at) }
		report, err := c.run(t.Context(), seeds)
		if err != nil || report.Items != 8 || report.ItemsFailed > 0 || len(starts) != 12 {
			t.Errorf("%d items, %d failed, %d requests: %v", report.Items, report.ItemsFailed, len(starts), err)
		}
		for i := 1; i < len(starts); i++ {
			if d := starts[i].Sub(starts[i-1]); d < gap {
				t.Errorf("starts %d and %d are %v apart", i-1, i, d)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if peak > 2 {
			t.Errorf("%d requests at once", peak)
		}
	})
}

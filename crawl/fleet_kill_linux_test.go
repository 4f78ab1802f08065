package crawl

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/redistest"
)

// stampedFrontier notes between which two moments each request was written. A process that is stopped in between makes
// them far apart, and neither alone would be when a server could have seen the request.
type stampedFrontier struct {
	*fleetFrontier
	note    func(what, host string, at time.Time)
	mu      sync.Mutex
	checked map[*item]time.Time
}

func (f *stampedFrontier) check(it *item) error {
	f.mu.Lock()
	f.checked[it] = time.Now()
	f.mu.Unlock()
	return f.fleetFrontier.check(it)
}

func (f *stampedFrontier) started(it *item) {
	after := time.Now()
	f.mu.Lock()
	before := f.checked[it]
	delete(f.checked, it)
	f.mu.Unlock()
	f.note("write", it.url.Host()+" "+strconv.FormatInt(before.UnixNano(), 10), after)
	f.fleetFrontier.started(it)
}

// fleetSize is how much a fleet has to do, and how.
type fleetSize struct {
	hosts, pages int // pages of each host
	workers      int
	gap          time.Duration
	unfenced     bool
}

var (
	smallFleet = fleetSize{hosts: 16, pages: 40, workers: 3, gap: 100 * time.Millisecond}
	fullFleet  = fleetSize{hosts: 30, pages: 40, workers: 4, gap: 150 * time.Millisecond}
)

const fleetLease = time.Second

// fleetRun is a crawl by several processes.
type fleetRun struct {
	fleetSize
	t        *testing.T
	redis    *redistest.Server
	servers  *fleetServers
	dir      string
	crawl    killedCrawl
	children []*crawlChild
	dirs     []string
}

func newFleetRun(t *testing.T, size fleetSize) *fleetRun {
	t.Helper()
	r := &fleetRun{
		fleetSize: size, t: t, dir: t.TempDir(), servers: newFleetServers(t, size.hosts, size.pages),
		// Each write is on the disk before its answer, so that a server that is killed forgets nothing.
		redis: redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always"),
	}
	r.crawl = killedCrawl{
		Mode: limiter.Async, Workers: 32, Memory: true, Stamps: true, Rate: float64(time.Second) / float64(size.gap), PerHost: 1,
		Resolve: r.servers.resolve, Seeds: r.servers.seeds,
	}
	return r
}

// join starts one more process.
func (r *fleetRun) join() *crawlChild {
	dir := filepath.Join(r.dir, strconv.Itoa(len(r.dirs)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	r.dirs = append(r.dirs, dir)
	return r.start(dir, nil)
}

// start starts a process that writes into a folder, with further fields of Options.
func (r *fleetRun) start(dir string, set map[string]any) *crawlChild {
	k := r.crawl
	k.Dir = dir
	k.Set = map[string]any{
		"UserAgent": "worker" + filepath.Base(dir) + "/1",
		"Fleet": map[string]any{
			"URL": r.redis.URL, "Job": "job", "Lease": fleetLease, "Unfenced": r.unfenced, "MaxAttempts": 100,
		},
	}
	maps.Copy(k.Set, set)
	c := startChild(r.t, k)
	r.children = append(r.children, c)
	r.t.Cleanup(func() {
		c.signal(syscall.SIGCONT)
		c.kill()
	})
	return c
}

func (c *crawlChild) signal(s syscall.Signal) { _ = c.cmd.Process.Signal(s) } // it may have ended

// until waits until so many pages are in the outputs.
func (r *fleetRun) until(pages int) {
	r.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; <-time.After(5 * time.Millisecond) {
		n := 0
		for _, times := range r.fetched() {
			n += times
		}
		if n >= pages {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d pages, want %d", n, pages)
		}
	}
}

// fetched returns how often each page is in the outputs.
func (r *fleetRun) fetched() map[string]int {
	pages := map[string]int{}
	for _, dir := range r.dirs {
		f, err := os.Open(filepath.Join(dir, "pages.jsonl"))
		if err != nil {
			continue // not yet there
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var rec struct {
				URL    string
				Status int
			}
			if json.Unmarshal(lines.Bytes(), &rec) == nil && rec.Status == http.StatusOK { // else being written
				pages[rec.URL]++
			}
		}
		_ = f.Close()
	}
	return pages
}

// writeTime is the time in which a request was written.
type writeTime struct{ before, after time.Time }

// writes returns when each request of all workers was written, by host and in the order in which they began.
func (r *fleetRun) writes() map[string][]writeTime {
	hosts := map[string][]writeTime{}
	for _, dir := range r.dirs {
		text, err := os.ReadFile(filepath.Join(dir, "stamps"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			part := strings.Fields(line)
			if len(part) != 4 || part[0] != "write" {
				continue
			}
			before, errB := strconv.ParseInt(part[2], 10, 64)
			after, errA := strconv.ParseInt(part[3], 10, 64)
			if errB != nil || errA != nil {
				r.t.Fatalf("stamp %q", line)
			}
			hosts[part[1]] = append(hosts[part[1]], writeTime{time.Unix(0, before), time.Unix(0, after)})
		}
	}
	for _, writes := range hosts {
		slices.SortFunc(writes, func(a, b writeTime) int { return a.before.Compare(b.before) })
	}
	return hosts
}

// tooClose returns how many requests to one host were surely written closer to each other than they may be.
func (r *fleetRun) tooClose() (n int, all int) {
	for host, writes := range r.writes() {
		all += len(writes)
		for i, a := range writes {
			for _, b := range writes[i+1:] {
				first, second := a, b
				if second.after.Before(first.after) {
					first, second = second, first
				}
				if gap := second.after.Sub(first.before); gap < r.gap {
					n++
					r.t.Logf("%s: requests within %v", host, gap)
				}
			}
		}
	}
	return n, all
}

// complaints are what the servers say, but for what surely came of their own machine: there the first request had been
// written long enough before the second was begun.
func (r *fleetRun) complaints() []string {
	writes := r.writes()
	return r.servers.complaints(r.gap, func(host string, first, second time.Time) bool {
		latest := func(arrived time.Time) int { // the last write that was begun before
			i, _ := slices.BinarySearchFunc(writes[host], arrived, func(w writeTime, t time.Time) int { return w.before.Compare(t) })
			return i - 1
		}
		a, b := latest(first), latest(second)
		return a >= 0 && b > a && writes[host][b].before.Sub(writes[host][a].after) >= r.gap*9/10
	})
}

// stopOne stops a process past its leases, while others take its hosts, and lets it go on while Redis tells it nothing.
func (r *fleetRun) stopOne(c *crawlChild) {
	c.signal(syscall.SIGSTOP)
	<-time.After(5 * fleetLease / 2)
	r.redis.Stop(r.t)
	c.signal(syscall.SIGCONT)
	<-time.After(fleetLease / 3)
	r.redis.Continue(r.t)
}

// countStalls counts how often this process was kept waiting for a good part of a lease, until the result is called.
func countStalls(t *testing.T) func() int {
	n, last := 0, time.Now()
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.NewTicker(10 * time.Millisecond); ; last = time.Now() {
			select {
			case <-tick.C:
			case <-over:
				tick.Stop()
				return
			}
			if time.Since(last) > fleetLease/4 {
				n++
			}
		}
	}()
	stop := sync.OnceFunc(func() {
		close(over)
		<-ended
	})
	t.Cleanup(stop)
	return func() int {
		stop()
		return n
	}
}

// upset lets a crawl lose a process, have one that is stopped past its leases, lose Redis for a moment, and be joined by
// another process.
func (r *fleetRun) upset() {
	victim, sleeper := r.join(), r.join()
	for len(r.children) < r.workers {
		r.join()
	}
	r.until(60)
	victim.kill()
	r.stopOne(sleeper)
	r.redis.Kill(r.t)
	r.redis.Restart(r.t)
	r.join()
	r.wait(victim)
}

// wait waits until all processes have ended, of which some were killed.
func (r *fleetRun) wait(killed ...*crawlChild) {
	r.t.Helper()
	for i, c := range r.children {
		late := time.AfterFunc(3*time.Minute, func() { c.signal(syscall.SIGQUIT) }) // it fails, and says where it was
		if ended := c.wait(r.t); !ended && !slices.Contains(killed, c) {
			r.t.Errorf("process %d did not come to its end", i)
		}
		late.Stop()
	}
}

// check wants what must hold after so many events that may each have found one page of every host in flight.
func (r *fleetRun) check(events int) {
	r.t.Helper()
	pages := r.fetched()
	twice := 0
	for _, n := range pages {
		twice += n - 1
	}
	if len(pages) != r.hosts*r.pages {
		r.t.Errorf("%d pages of %d", len(pages), r.hosts*r.pages)
	}
	if again := r.servers.again(); again > events*r.hosts || twice > again {
		r.t.Errorf("%d pages were fetched twice, and %d are twice in the outputs, after %d events", again, twice, events)
	}
	n, all := r.tooClose()
	if n > 0 || all < r.hosts*r.pages {
		r.t.Errorf("%d of %d requests were too close", n, all)
	}
}

// A crawl that loses a process, has one that is stopped past its leases, and loses Redis for a moment, fetches every page,
// and no host ever sees two requests closer than it may. What servers see, the machine has a say in: that is asked at full
// size only, and of several runs one must be good.
func TestFleetKeepsItsPace(t *testing.T) {
	t.Parallel()
	if os.Getenv(fullSize) == "" {
		stalls := countStalls(t)
		r := newFleetRun(t, smallFleet)
		r.upset()
		r.check(3 + stalls())
		return
	}
	var complaints []string
	for range 3 {
		stalls := countStalls(t)
		r := newFleetRun(t, fullFleet)
		r.upset()
		r.check(3 + stalls())
		complaints = r.complaints()
		t.Logf("%d pages were fetched twice; servers say %q", r.servers.again(), complaints)
		if len(complaints) == 0 || t.Failed() {
			return
		}
	}
	t.Error(complaints)
}

// Without the fence, the process that was stopped goes on with hosts that are others' by then: the test above would see it.
func TestFleetWithoutItsFence(t *testing.T) {
	t.Parallel()
	size := smallFleet
	if os.Getenv(fullSize) != "" {
		size = fullFleet
	}
	size.unfenced = true
	for range 5 {
		r := newFleetRun(t, size)
		sleeper := r.join()
		r.until(4 * r.hosts) // it has pages in memory
		r.join()
		r.stopOne(sleeper)
		r.wait()
		if n, _ := r.tooClose(); n > 0 {
			return
		}
		t.Log("no request came too close")
	}
	t.Error("the fence makes no difference")
}

package crawl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
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

const (
	fleetHosts = 16
	fleetPages = 40 // of each host
	fleetGap   = 100 * time.Millisecond
	fleetLease = time.Second
)

// fleetRun is a crawl by several processes.
type fleetRun struct {
	t        *testing.T
	redis    *redistest.Server
	dir      string
	crawl    killedCrawl
	children []*crawlChild
	dirs     []string
}

func newFleetRun(t *testing.T, unfenced bool) *fleetRun {
	t.Helper()
	r := &fleetRun{
		t: t, dir: t.TempDir(),
		// Each write is on the disk before its answer, so that a server that is killed forgets nothing.
		redis: redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always"),
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/robots.txt" {
			http.NotFound(w, req)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		if req.URL.Path == "/" {
			for i := range fleetPages - 1 {
				_, _ = fmt.Fprintf(w, "<a href=/%d>x</a>", i+1)
			}
		}
	}))
	t.Cleanup(site.Close)
	addr := netip.MustParseAddrPort(site.Listener.Addr().String())
	r.crawl = killedCrawl{
		Mode: limiter.Async, Workers: 32, Memory: true, Stamps: true, Rate: float64(time.Second / fleetGap), PerHost: 1,
		Resolve: map[string]netip.AddrPort{},
		Set: map[string]any{"Fleet": map[string]any{
			"URL": r.redis.URL, "Job": "job", "Lease": fleetLease, "Unfenced": unfenced, "MaxAttempts": 100,
		}},
	}
	for i := range fleetHosts {
		host := fmt.Sprintf("h%02d.test:%d", i, addr.Port())
		r.crawl.Resolve[host] = addr
		r.crawl.Seeds = append(r.crawl.Seeds, "http://"+host+"/")
	}
	return r
}

// join starts one more process.
func (r *fleetRun) join() *crawlChild {
	k := r.crawl
	k.Dir = filepath.Join(r.dir, strconv.Itoa(len(r.dirs)))
	if err := os.Mkdir(k.Dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	r.dirs = append(r.dirs, k.Dir)
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
		for _, times := range r.pages() {
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

// pages returns how often each page is in the outputs.
func (r *fleetRun) pages() map[string]int {
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

// tooClose returns how many requests to one host were surely written closer to each other than they may be.
func (r *fleetRun) tooClose() (n int, all int) {
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
			all++
		}
	}
	for host, writes := range hosts {
		for i, a := range writes {
			for _, b := range writes[i+1:] {
				first, second := a, b
				if second.after.Before(first.after) {
					first, second = second, first
				}
				if gap := second.after.Sub(first.before); gap < fleetGap {
					n++
					r.t.Logf("%s: requests within %v", host, gap)
				}
			}
		}
	}
	return n, all
}

// stopOne stops a process past its leases, while others take its hosts, and lets it go on.
func (r *fleetRun) stopOne(c *crawlChild) {
	c.signal(syscall.SIGSTOP)
	<-time.After(5 * fleetLease / 2)
	c.signal(syscall.SIGCONT)
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

// A crawl that loses a process, has one that is stopped past its leases, and loses Redis for a moment, fetches every page,
// and no host ever sees two requests closer than it may.
func TestFleetKeepsItsPace(t *testing.T) {
	t.Parallel()
	stalls := countStalls(t)
	r := newFleetRun(t, false)
	victim, sleeper := r.join(), r.join()
	r.join()
	r.until(60)
	victim.kill()
	r.stopOne(sleeper)
	r.redis.Kill(t)
	r.redis.Restart(t)
	r.join()
	for i, c := range r.children {
		if ended := c.wait(t); ended != (i > 0) {
			t.Errorf("process %d: ended is %v", i, ended)
		}
	}
	pages := r.pages()
	twice := 0
	for _, n := range pages {
		twice += n - 1
	}
	if len(pages) != fleetHosts*fleetPages {
		t.Errorf("%d pages of %d", len(pages), fleetHosts*fleetPages)
	}
	// One connection a host: the kill, the stop and the restart found one page of each in flight at most, as did each
	// moment in which this machine stood still for so long that leases ended.
	if n := stalls(); twice > (3+n)*fleetHosts {
		t.Errorf("%d pages were fetched twice, and the machine stood still %d times", twice, n)
	}
	if n, all := r.tooClose(); n > 0 || all < fleetHosts*fleetPages {
		t.Errorf("%d of %d requests were too close", n, all)
	}
}

// Without the fence, the process that was stopped goes on with hosts that are others' by then: the test above would see it.
func TestFleetWithoutItsFence(t *testing.T) {
	t.Parallel()
	for range 5 {
		r := newFleetRun(t, true)
		sleeper := r.join()
		r.until(20)
		r.join()
		r.stopOne(sleeper)
		for _, c := range r.children {
			c.wait(t)
		}
		if n, _ := r.tooClose(); n > 0 {
			return
		}
		t.Log("no request came too close")
	}
	t.Error("the fence makes no difference")
}

package crawl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

// fleetSite serves hosts that look the same: / links to /1 and so on. It returns what leads there, and its port.
func fleetSite(t *testing.T, robots http.HandlerFunc, hosts ...string) (map[string]netip.AddrPort, []string) {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/robots.txt" {
			robots(w, req)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		if req.URL.Path == "/" {
			for i := range 9 {
				_, _ = fmt.Fprintf(w, "<a href=/%d>x</a>", i+1)
			}
		}
	}))
	t.Cleanup(site.Close)
	addr := netip.MustParseAddrPort(site.Listener.Addr().String())
	resolve := map[string]netip.AddrPort{}
	var seeds []string
	for _, host := range hosts {
		resolve[fmt.Sprintf("%s:%d", host, addr.Port())] = addr
		seeds = append(seeds, fmt.Sprintf("http://%s:%d/", host, addr.Port()))
	}
	return resolve, seeds
}

// runFleet crawls with several workers at once, and returns what each of them wrote.
func runFleet(t *testing.T, workers int, o Options) []string {
	t.Helper()
	outputs := make([]bytes.Buffer, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			o := o
			o.Output = &outputs[i]
			if _, err := Run(t.Context(), o); err != nil {
				t.Errorf("worker %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	texts := make([]string, workers)
	for i := range outputs {
		texts[i] = outputs[i].String()
	}
	return texts
}

// Hosts whose robots.txt redirect to each other are crawled, however two workers divide them: one that holds a host and
// waits for the other's gives it back when it is asked to.
func TestFleetRobotsOnEachOthersHosts(t *testing.T) {
	robots := func(w http.ResponseWriter, req *http.Request) {
		host, p, _ := strings.Cut(req.Host, ":")
		if req.URL.RawQuery == "" {
			http.Redirect(w, req, "http://"+map[string]string{"a.test": "b.test", "b.test": "a.test"}[host]+":"+p+"/robots.txt?x", http.StatusFound)
		}
	}
	resolve, seeds := fleetSite(t, robots, "a.test", "b.test")
	for _, m := range limiter.Modes {
		texts := runFleet(t, 2, Options{
			Mode: m, Workers: 4, Seeds: seeds, Depth: 2, Resolve: resolve, PerHost: 1, Timeout: time.Minute,
			Fleet: &fleet.Options{URL: redistest.Start(t).URL, Job: "job", Lease: 3 * time.Second},
		})
		if n := strings.Count(strings.Join(texts, ""), `"status":200`); n != 20 {
			t.Errorf("%v: %d pages of 20", m, n)
		}
	}
}

// All modes crawl the same pages, and what bounds them is the job's.
func TestFleetInAllModes(t *testing.T) {
	resolve, seeds := fleetSite(t, http.NotFound, "a.test", "b.test", "c.test", "d.test")
	url := redistest.Start(t).URL
	for _, m := range limiter.Modes {
		for name, c := range map[string]struct {
			set   func(*Options)
			pages int
		}{
			"all":      {func(*Options) {}, 40},
			"max":      {func(o *Options) { o.MaxPages = 13 }, 13},
			"per-host": {func(o *Options) { o.MaxPagesPerHost = 3 }, 12},
			"depth":    {func(o *Options) { o.Depth = 0 }, 4},
		} {
			t.Run(fmt.Sprint(m, " ", name), func(t *testing.T) {
				o := Options{
					Mode: m, Workers: 4, Seeds: seeds, Depth: 2, Resolve: resolve, Timeout: time.Minute,
					Fleet: &fleet.Options{URL: url, Job: fmt.Sprint(m, "-", name)},
				}
				c.set(&o)
				texts := runFleet(t, 1, o)
				if n := strings.Count(texts[0], `"status":200`); n != c.pages {
					t.Errorf("%d pages, want %d", n, c.pages)
				}
				if again := runFleet(t, 2, o); again[0]+again[1] != "" {
					t.Errorf("a finished job is crawled again: %q", again)
				}
			})
		}
	}
}

func TestFleetRefusals(t *testing.T) {
	url := redistest.Start(t).URL
	for name, c := range map[string]Options{
		"state":    {Seeds: []string{"http://a.test/"}, State: t.TempDir()},
		"per ip":   {Seeds: []string{"http://a.test/"}, PerIP: 1},
		"no seed":  {},
		"bad seed": {Seeds: []string{"http://"}},
	} {
		c.Fleet = &fleet.Options{URL: url, Job: strings.ReplaceAll(name, " ", "-")}
		_, err := Run(t.Context(), c)
		if usage := (*UsageError)(nil); !errors.As(err, &usage) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := fleet.Look(t.Context(), *c.Fleet); !errors.Is(err, fleet.ErrNoJob) {
			t.Errorf("%s: a job was begun: %v", name, err)
		}
	}
}

// Three workers together keep to the rate of all hosts: the servers see no request before its time.
func TestFleetKeepsToOneGlobalRate(t *testing.T) {
	const perSecond = 60
	url := redistest.Start(t).URL
	for _, m := range limiter.Modes {
		var mu sync.Mutex
		var requests int
		var began time.Time
		seen := func() {
			mu.Lock()
			defer mu.Unlock()
			requests++
			if most := perSecond * time.Since(began).Seconds(); float64(requests) > most+1 { // the clocks of the server and of the machine may differ
				t.Errorf("%v: %d requests after %v", m, requests, time.Since(began))
			}
		}
		site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			seen()
			w.Header().Set("Content-Type", "text/html")
			if req.URL.Path == "/" {
				_, _ = fmt.Fprint(w, "<a href=/1>x</a><a href=/2>x</a><a href=/3>x</a><a href=/4>x</a>")
			}
		}))
		addr := netip.MustParseAddrPort(site.Listener.Addr().String())
		o := Options{
			Mode: m, Workers: 4, Depth: 2, Resolve: map[string]netip.AddrPort{}, Timeout: time.Minute, PerHost: 2,
			GlobalRate: limiter.NewRate(perSecond),
			Fleet:      &fleet.Options{URL: url, Job: m.String()},
		}
		for i := range 9 {
			host := fmt.Sprintf("%d.test:%d", i, addr.Port())
			o.Resolve[host] = addr
			o.Seeds = append(o.Seeds, "http://"+host+"/")
		}
		began = time.Now()
		texts := runFleet(t, 3, o)
		site.Close()
		if n := strings.Count(strings.Join(texts, ""), `"status":200`); n != 45 || requests < 54 {
			t.Errorf("%v: %d pages of 45, %d requests of 54", m, n, requests)
		}
	}
}

// The end of a run gives its hosts back: another takes them at once, not when their leases are over.
func TestFleetInterrupted(t *testing.T) {
	resolve, seeds := fleetSite(t, http.NotFound, "a.test", "b.test")
	o := Options{
		Workers: 2, Seeds: seeds, Depth: 2, Resolve: resolve, Rate: 20, PerHost: 1, Timeout: time.Minute,
		Fleet: &fleet.Options{URL: redistest.Start(t).URL, Job: "job", Lease: time.Hour},
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var first bytes.Buffer
	o.Output = writerFunc(func(p []byte) (int, error) {
		if strings.Count(first.String(), "\n") == 5 {
			cancel()
		}
		return first.Write(p)
	})
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	o.Seeds = nil
	rest := runFleet(t, 1, o)[0]
	if n := strings.Count(first.String()+rest, `"status":200`); n != 20 || strings.Count(rest, "\n") == 0 {
		t.Errorf("%d pages of 20, %d in the second run", n, strings.Count(rest, "\n"))
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

package crawl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"pace/crawl/site"
	"pace/limiter"
)

// countedSite is a site that counts the requests for its pages, by path. Some of its pages are behind redirects.
func countedSite(t *testing.T, pages int) (base string, hits func() (most, total int)) {
	var mu sync.Mutex
	counts := map[string]int{}
	s := site.New(site.Options{
		Pages: pages, Links: 8, PageSize: 2 << 10, Latency: 5 * time.Millisecond, Jitter: 5 * time.Millisecond,
		OnRequest: func(r *http.Request) {
			if r.URL.Path != "/robots.txt" {
				mu.Lock()
				counts[r.URL.Path]++
				mu.Unlock()
			}
		},
	})
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return server.URL, func() (most, total int) {
		mu.Lock()
		defer mu.Unlock()
		for _, n := range counts {
			most, total = max(most, n), total+n
		}
		return most, total
	}
}

// A crawl that is killed again and again has each page once in the end, and fetches again only what was in flight.
func TestKilledCrawl(t *testing.T) {
	for _, c := range []struct {
		mode  limiter.Mode
		fsync bool
	}{{limiter.Sequential, false}, {limiter.Threads, false}, {limiter.Async, false}, {limiter.Async, true}} {
		t.Run(fmt.Sprintf("%v fsync %v", c.mode, c.fsync), func(t *testing.T) {
			pages, kills, most := 800, 0, 10
			if c.mode == limiter.Sequential {
				pages = 100
			}
			base, hits := countedSite(t, pages)
			k := killedCrawl{Seed: base + "/", Dir: t.TempDir(), Mode: c.mode, Workers: 16, Fsync: c.fsync}
			rnd := rand.New(rand.NewPCG(1, 2))
			ended := false
			for !ended && kills < most {
				ended = killChild(t, k, time.Duration(20+rnd.IntN(180))*time.Millisecond)
				kills++
				if _, ok, err := StateSettings(k.options().State); err != nil {
					t.Fatal(err)
				} else if ok {
					k.Seed = "" // the state knows
				}
			}
			if !ended && !killChild(t, k, time.Minute) {
				t.Fatal("the last run did not end")
			}
			checkRecords(t, k.options().OutputFile, pages)
			workers := k.Workers
			if c.mode == limiter.Sequential {
				workers = 1
			}
			_, total := hits()
			t.Logf("%d kills, %d requests for %d pages", kills, total, pages)
			if kills < 2 || total > pages+kills*workers {
				t.Errorf("%d requests for %d pages with %d workers killed %d times", total, pages, workers, kills)
			}
		})
	}
}

// A recrawl that is killed again and again goes on as the same recrawl, from its first moment on.
func TestKilledRecrawl(t *testing.T) {
	for _, m := range limiter.Modes {
		t.Run(m.String(), func(t *testing.T) {
			pages, kills := 600, 0
			if m == limiter.Sequential {
				pages = 100
			}
			base, hits := countedSite(t, pages)
			k := killedCrawl{Seed: base + "/", Dir: t.TempDir(), Mode: m, Workers: 16}
			if !killChild(t, k, time.Minute) {
				t.Fatal("the first crawl did not end")
			}
			k.Seed, k.Recrawl = "", true
			rnd := rand.New(rand.NewPCG(3, 4))
			// Once the recrawl has begun, to ask for it again would only finish it, and then begin another.
			for begun := false; !begun; kills++ {
				if killChild(t, k, time.Duration(30+rnd.IntN(60))*time.Millisecond) {
					t.Fatal("the recrawl ended before it was killed")
				}
				_, total := hits()
				begun = total > pages
			}
			k.Recrawl = false
			for ended := false; !ended; kills++ {
				after := time.Duration(30+rnd.IntN(150)) * time.Millisecond
				if kills > 8 {
					after = time.Minute
				}
				ended = killChild(t, k, after)
			}
			checkRecords(t, k.options().OutputFile, pages)
			_, total := hits()
			t.Logf("%d kills, %d requests for two crawls of %d pages", kills-1, total, pages)
			if most := 2*pages + kills*k.Workers; total < 2*pages || total > most {
				t.Errorf("%d requests for two crawls of %d pages, want at most %d", total, pages, most)
			}
		})
	}
}

// killChild crawls in a child and kills it after a time. It says whether the child was done before.
func killChild(t *testing.T, k killedCrawl, after time.Duration) bool {
	t.Helper()
	c := startChild(t, k)
	timer := time.AfterFunc(after, c.kill)
	defer timer.Stop()
	return c.wait(t)
}

// checkRecords wants one whole record a page.
func checkRecords(t *testing.T, path string, pages int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range bytes.Lines(text) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil || r.Status != http.StatusOK {
			t.Errorf("%v in %.100q", err, line)
		}
		seen[r.URL]++
	}
	for url, n := range seen {
		if n != 1 {
			t.Errorf("%d records of %s", n, url)
		}
	}
	if len(seen) != pages {
		t.Errorf("records of %d pages, want %d", len(seen), pages)
	}
}

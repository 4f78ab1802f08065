package crawl

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pace/crawl/site"
	"pace/limiter"
)

// fullSize is the environment variable that asks for tests at their full size.
const fullSize = "PACE_TEST_FULL"

// meteredSite counts the requests for its pages, and tells of each number that is waited for.
type meteredSite struct {
	url string

	mu     sync.Mutex
	pages  int
	wanted int
	there  chan struct{}
}

func newMeteredSite(t *testing.T, pages int) *meteredSite {
	m := &meteredSite{}
	s := site.New(site.Options{
		Pages: pages, Links: 10, PageSize: 3 << 10, Latency: 3 * time.Millisecond, Jitter: 3 * time.Millisecond,
		OnRequest: func(r *http.Request) {
			if r.URL.Path == "/robots.txt" {
				return
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.pages++; m.pages == m.wanted {
				close(m.there)
			}
		},
	})
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

// after returns a channel that is closed when so many more pages have been asked for.
func (m *meteredSite) after(pages int) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wanted, m.there = m.pages+pages, make(chan struct{})
	return m.there
}

// TestKilledArchive kills a crawl that writes records and an archive, at moments that the pages asked for count, so that
// every run gets somewhere, and some while they take up what the one before has left.
func TestKilledArchive(t *testing.T) {
	pages, kills := 800, 5
	if os.Getenv(fullSize) != "" {
		pages, kills = 5000, 20
	}
	for _, m := range []limiter.Mode{limiter.Threads, limiter.Async} {
		for _, size := range []int64{0, 256 << 10} { // of a WARC file: one, and many
			t.Run(fmt.Sprint(m, " ", size), func(t *testing.T) {
				s := newMeteredSite(t, pages)
				k := killedCrawl{
					Seed: s.url + "/", Dir: t.TempDir(), Mode: m, Workers: 16, WARC: true, WARCSize: size,
				}
				killAtPages(t, s, k, pages, kills)
				checkRecords(t, k.options().OutputFile, pages)
				checkArchivedOnce(t, k.options().WARC, s.url, pages)
				s.mu.Lock()
				defer s.mu.Unlock()
				t.Logf("%d pages were asked for again by %d kills", s.pages-pages, kills)
				if s.pages > pages+kills*k.Workers {
					t.Errorf("%d requests for %d pages with %d workers killed %d times", s.pages, pages, k.Workers, kills)
				}
			})
		}
	}
}

// killAtPages crawls with so many kills on the way.
func killAtPages(t *testing.T, s *meteredSite, k killedCrawl, pages, kills int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(uint64(k.Mode), uint64(k.WARCSize)))
	share := pages / (kills + 1)
	for n := range kills {
		there, late := s.after(1+rnd.IntN(share)), time.After(time.Minute)
		if n%4 == 3 {
			late = time.After(time.Duration(rnd.IntN(40)) * time.Millisecond)
		}
		child := startChild(t, k)
		select {
		case <-there:
			time.Sleep(time.Duration(rnd.IntN(5000)) * time.Microsecond)
		case <-late:
		}
		child.kill()
		if child.wait(t) {
			t.Fatalf("the crawl ended before kill %d of %d", n+1, kills)
		}
	}
	if !startChild(t, k).wait(t) {
		t.Fatal("the last run did not end")
	}
}

// checkArchivedOnce reads an archive in every way, and wants one exchange a page.
func checkArchivedOnce(t *testing.T, prefix, site string, pages int) {
	t.Helper()
	got := map[string]int{}
	for _, r := range readArchive(t, prefix) {
		kind, url := r.fields["WARC-Type"], r.fields["WARC-Target-URI"]
		if strings.HasPrefix(url, site) && !strings.HasSuffix(url, "/robots.txt") {
			got[kind+" "+url]++
		}
	}
	for what, n := range got {
		if n != 1 {
			t.Errorf("%s is archived %d times", what, n)
		}
	}
	if len(got) != 3*pages {
		t.Errorf("%d requests, responses and metadata of %d pages", len(got), pages)
	}
}

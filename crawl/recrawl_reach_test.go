package crawl

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pace/limiter"
)

// growing is a site that grows between crawls. A page that did not change answers 304, and so shows no link.
type growing struct {
	mu    sync.Mutex
	rnd   *rand.Rand
	links [][]int // of each page
	unchanged,
	changed int
}

// grow adds pages, each linked from one page that was there, and links between others.
func (g *growing) grow(pages int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unchanged, g.changed = 0, 0
	was := len(g.links)
	for range pages {
		parent := g.rnd.IntN(len(g.links))
		if was > 0 && g.rnd.IntN(2) == 0 {
			parent = g.rnd.IntN(was) // an old page, which has changed by this
		}
		g.links[parent] = append(g.links[parent], len(g.links))
		g.links = append(g.links, []int{g.rnd.IntN(len(g.links))})
	}
}

func (g *growing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var n int
	if _, err := fmt.Sscanf(r.URL.Path, "/%d", &n); err != nil || n >= len(g.links) {
		http.NotFound(w, r)
		return
	}
	// Every fifth page stands behind a redirect, which may lead to another host.
	if n%5 == 4 && r.URL.RawQuery == "" {
		host := r.Host
		if n%10 == 4 {
			host = "b.test"
		}
		http.Redirect(w, r, fmt.Sprintf("http://%s/%d?moved", host, n), http.StatusFound)
		return
	}
	etag := fmt.Sprintf(`"%d-%d"`, n, len(g.links[n]))
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		g.unchanged++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	g.changed++
	w.Header().Set("Content-Type", "text/html")
	var b strings.Builder
	for _, to := range g.links[n] {
		fmt.Fprintf(&b, `<a href="http://a.test/%d">x</a>`, to)
	}
	_, _ = w.Write([]byte(b.String()))
}

// A recrawl sees no links of pages that have not changed, and yet reaches every page of all crawls before it, and what is
// new on pages that have changed.
func TestRecrawlReachesAll(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		g := &growing{rnd: rand.New(rand.NewPCG(5, 6)), links: [][]int{{}}}
		w := newWorld(t, map[string]http.HandlerFunc{})
		for n := range 200 {
			w.pages[fmt.Sprint("/", n)] = g.ServeHTTP
		}
		g.grow(59)
		o := w.keeping(m, t.TempDir(), "http://a.test/0")
		o.Scope, o.Depth, o.PerHost = ScopeAny, 1000, 0
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		check := func(what string, pages int, status int) {
			t.Helper()
			records := recordsByURL(t, o.OutputFile)
			if len(records) != pages {
				t.Errorf("%s: records of %d pages, want %d", what, len(records), pages)
			}
			for url, r := range records {
				if r.Status != http.StatusOK && r.Status != status {
					t.Errorf("%s: %s has status %d", what, url, r.Status)
				}
			}
		}
		check("the first crawl", 60, http.StatusOK)
		for round := range 3 {
			// All that has links to them is 304.
			g.grow(0)
			rerun(t, o)
			check(fmt.Sprint("unchanged, round ", round), 60+round*20, http.StatusNotModified)
			if g.changed != 0 || g.unchanged != 60+round*20 {
				t.Errorf("%d pages were sent whole and %d were 304", g.changed, g.unchanged)
			}
			g.grow(20)
			o.Workers = 1
			again := o
			again.Seeds, again.Recrawl = nil, true
			stopAt(t, w, again, "/7") // and goes on as the same recrawl
			o.Workers = 8
			again.Recrawl = false
			if _, err := Run(t.Context(), again); err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprint("grown, round ", round), 80+round*20, http.StatusNotModified)
			if g.unchanged == 0 || g.changed < 20 {
				t.Errorf("%d pages were sent whole and %d were 304", g.changed, g.unchanged)
			}
		}
	})
}

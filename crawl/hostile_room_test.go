package crawl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pace/limiter"
)

// largeSite is what a random site answers with whose pages, redirects, errors, robots.txt and sitemaps are all large,
// some of them encoded.
func largeSite(t *rapid.T) map[string]http.HandlerFunc {
	hosts := []string{"a.test", "b.test"}
	n := rapid.IntRange(2, 14).Draw(t, "pages")
	place := func(i int) string { return fmt.Sprintf("%s/%d", hosts[i%len(hosts)], i) }
	pages := map[string]http.HandlerFunc{}
	for i := range n {
		to := "http://" + place(rapid.IntRange(0, n).Draw(t, "to"))
		fill := strings.Repeat("x", rapid.SampledFrom([]int{0, 1 << 10, 20 << 10, 100 << 10}).Draw(t, "size"))
		html := fmt.Sprintf(`<a href=%s>x</a><a href=http://%s>y</a><p>%s`, to, place(i+1), fill)
		many := strings.Repeat(fmt.Sprintf(`<a href=%s>`, to), len(fill)/20) + html
		pages[place(i)] = rapid.SampledFrom([]http.HandlerFunc{
			htmlPage(html), htmlPage(many), withHeader("Content-Encoding", "gzip", htmlPage(zipped(many))),
			withHeader("Content-Type", "text/html; charset=utf-16le", htmlPage(many)),
			first(withHeader("X", "y", status(503)), htmlPage(html)), first(hangUp(int64(len(html)/2), htmlPage(html)), htmlPage(html)),
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
				_, _ = w.Write([]byte(fill))
			},
		}).Draw(t, "fate")
	}
	for _, host := range hosts {
		robots := "User-agent: *\nDisallow: /3\nSitemap: http://b.test/map.xml\n" + strings.Repeat("# x\n", 10_000)
		pages[host+"/robots.txt"] = rapid.SampledFrom([]http.HandlerFunc{http.NotFound, typed("text/plain", robots)}).Draw(t, host)
	}
	pages["b.test/map.xml"] = typed("text/xml", "<urlset>"+strings.Repeat("<url><loc>http://a.test/0</loc></url>", 2000))
	return pages
}

// TestRandomSitesInASmallRoom crawls large pages with room for less than one of them, in all modes, and in half of the
// crawls stops in the middle. Nothing may wait for ever, and no room may be lost.
func TestRandomSitesInASmallRoom(t *testing.T) {
	sites := rapid.Custom(largeSite)
	for n := range 16 {
		rnd := rand.New(rand.NewPCG(uint64(n), 0))
		size, workers := []int64{1, 30 << 10, 400 << 10}[n%3], []int{2, 16}[rnd.IntN(2)]
		state, archive, stop := rnd.IntN(2) > 0, rnd.IntN(2) > 0, rnd.IntN(2) > 0
		soon := time.Duration(rnd.IntN(20)) * time.Millisecond
		var wg sync.WaitGroup
		var got [3][]string
		for i, m := range limiter.Modes {
			wg.Go(func() {
				w := newWorld(t, sites.Example(n)) // some of its pages answer in another way the first time
				defer w.server.Close()
				o := w.options(m, "http://a.test/0", "http://b.test/1")
				o.Workers, o.Depth, o.Retries, o.Scope, o.Sitemaps, o.CheckLinks = workers, 100, 3, ScopeAny, true, true
				o.Timeout = 5 * time.Minute
				dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Error(err)
					return
				}
				if state {
					o.State = filepath.Join(dir, "state")
				}
				if archive {
					o.WARC, o.MaxBody = filepath.Join(dir, "w"), 1<<20
				}
				got[i] = crawlInRoom(t, o, size, stop, soon)
			})
		}
		wg.Wait()
		for i, m := range limiter.Modes[1:] {
			if d := cmp.Diff(got[0], got[i+1]); d != "" && !stop {
				t.Errorf("site %d: %v and %v differ:\n%s", n, limiter.Modes[0], m, d)
			}
		}
	}
}

// crawlInRoom crawls in a room of some bytes, until it is done or, if stop is set, soon, and returns what it fetched.
func crawlInRoom(t *testing.T, o Options, size int64, stop bool, soon time.Duration) (fetched []string) {
	var out bytes.Buffer
	o.Output = &out
	c, seeds, err := newCrawler(o)
	if err != nil {
		t.Error(err)
		return nil
	}
	c.room.size, c.room.free = size, 4<<10
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if stop {
		defer time.AfterFunc(soon, cancel).Stop()
	}
	if _, err = c.run(ctx, seeds); err != nil && (!stop || !errors.Is(err, context.Canceled)) {
		t.Errorf("%v: %v", o.Mode, err)
	}
	c.room.mu.Lock()
	defer c.room.mu.Unlock()
	if r := c.room; r.used != 0 || r.beyond != nil || len(r.waiting) != 0 {
		t.Errorf("%v: %d bytes of the room are still used, %d wait", o.Mode, r.used, len(r.waiting))
	}
	seen := map[string]bool{}
	for _, r := range readRecords(t, out.Bytes()) {
		if seen[r.URL] {
			t.Errorf("%v: a second record of %s", o.Mode, r.URL)
		}
		seen[r.URL] = true
		if r.Status != http.StatusFound {
			fetched = append(fetched, fmt.Sprint(r.FinalURL, r.Status, r.Bytes, r.Error))
		}
	}
	slices.Sort(fetched)
	return fetched
}

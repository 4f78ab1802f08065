package crawl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pace/limiter"
	"pace/limiter/progress"
)

// randomSite is what a random site answers with, by "host/path".
func randomSite(t *rapid.T) map[string]http.HandlerFunc {
	hosts := []string{"a.test", "b.test", "c.test"}
	n := rapid.IntRange(1, 12).Draw(t, "pages")
	place := func(i int) string { return fmt.Sprintf("%s/%d", hosts[i%len(hosts)], i) }
	target := rapid.Custom(func(t *rapid.T) string { return "http://" + place(rapid.IntRange(0, n).Draw(t, "to")) })
	pages := map[string]http.HandlerFunc{}
	for i := range n { // and page n is missing
		to := rapid.SliceOfN(target, 1, 4).Draw(t, place(i))
		pages[place(i)] = rapid.SampledFrom([]http.HandlerFunc{
			links(to...), links(to...), links(to...), links(to...), redirect(to[0]), redirect(to[0]), status(500), hangUp(1000, nil),
			raw(okHeader + "Content-Length: 100\r\n\r\n" + `<a href="` + to[0] + `">`),
			raw(okHeader + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxxx"),
		}).Draw(t, "fate")
	}
	for _, host := range hosts {
		robots := rapid.SampledFrom([]http.HandlerFunc{
			nil, nil, htmlPage("User-agent: *\nDisallow: /1\nDisallow: /4"), status(500), hangUp(1000, nil),
			redirect("http://a.test/robots.txt"), redirect("http://c.test/1"),
		}).Draw(t, host+"/robots.txt")
		if robots != nil {
			pages[host+"/robots.txt"] = robots
		}
	}
	return pages
}

// TestRandomSites crawls random sites that fail in many ways, in all modes at once. Every page must end in one record or
// be skipped, politeness must hold, and the modes must have fetched the same.
func TestRandomSites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pages := randomSite(rt)
		var wg sync.WaitGroup
		fetched := make([]map[string]bool, len(limiter.Modes))
		for i, m := range limiter.Modes {
			wg.Go(func() { fetched[i] = crawlRandomSite(t, m, pages) })
		}
		wg.Wait()
		for i, m := range limiter.Modes[1:] {
			if d := cmp.Diff(fetched[0], fetched[i+1]); d != "" {
				rt.Errorf("%v and %v differ:\n%s", limiter.Modes[0], m, d)
			}
		}
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// crawlRandomSite returns which pages were fetched, and with what status.
func crawlRandomSite(t *testing.T, m limiter.Mode, pages map[string]http.HandlerFunc) map[string]bool {
	const gap, perHost = time.Millisecond, 2
	w := newWorld(t, pages)
	defer w.server.Close()
	o := w.options(m, "http://a.test/0", "http://b.test/1")
	var out bytes.Buffer
	o.Output, o.Scope, o.Depth, o.Rate, o.PerHost = &out, ScopeAny, 1000, float64(time.Second/gap), perHost
	o.Progress = progress.New()
	c, seeds, err := newCrawler(o)
	if err != nil {
		t.Error(err)
		return nil
	}
	last := map[string]time.Time{}
	c.frontier.(*memoryFrontier).observe = func(it *item, at time.Time) {
		if host := it.url.Host(); at.Sub(last[host]) < gap {
			t.Errorf("%v: two starts on %s are %v apart", m, host, at.Sub(last[host]))
		}
		last[it.url.Host()] = at
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	report, err := c.run(ctx, seeds)
	if err != nil && ctx.Err() == nil && report.Items == 1 {
		err = nil // the only item could not start
	}
	if err != nil {
		t.Errorf("%v: %v", m, err)
	}
	fetched, first, items := map[string]bool{}, map[string]bool{}, int64(0)
	for line := range bytes.Lines(out.Bytes()) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil || first[r.URL] {
			t.Errorf("%v: a second record, or none: %s: %v", m, line, err)
		}
		items++
		first[r.URL] = true
		if r.Status != http.StatusFound {
			fetched[fmt.Sprint(r.FinalURL, " ", r.Status, " ", r.Error != "")] = true
		}
	}
	total := o.Progress.Snapshot().ItemsTotal
	if report.Items != items || report.Items > total || report.Items+report.ItemsSkipped < total {
		t.Errorf("%v: %d admitted, %d items, %d skipped, %d records", m, total, report.Items, report.ItemsSkipped, items)
	}
	return fetched
}

// TestMaxPagesIsExact has far more pages than may be taken, found by many workers at once.
func TestMaxPagesIsExact(t *testing.T) {
	pages := map[string]http.HandlerFunc{}
	var hrefs []string
	for i := range 60 {
		hrefs = append(hrefs, fmt.Sprintf("http://%c.test/%d", 'a'+i%4, i))
	}
	for i := range 60 {
		pages[fmt.Sprintf("/%d", i)] = links(hrefs...)
		if i%5 == 1 {
			pages[fmt.Sprintf("/%d", i)] = redirect(fmt.Sprintf("/moved-%d", i))
		}
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, pages)
		for _, most := range []int{1, 2, 7, 30} {
			o := w.options(m, "http://a.test/0", "http://b.test/1", "http://c.test/2")
			o.MaxPages, o.Scope, o.Workers = most, ScopeAny, 16
			records, report, err := crawl(t, o)
			if err != nil || len(records) != most || report.Items != int64(most) {
				t.Errorf("at most %d: %d records, %d items, %v", most, len(records), report.Items, err)
			}
		}
	})
}

// TestManyHostsAndOneThatIsSlow has far more hosts than workers, and one that would hold up all if workers waited for it.
func TestManyHostsAndOneThatIsSlow(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{"slow.test/robots.txt": htmlPage("User-agent: *\nCrawl-delay: 0.3")})
		o := w.options(m)
		o.Workers = 4
		addr := o.Resolve["a.test:80"]
		o.Resolve["slow.test:80"] = addr
		for i := range 3 {
			o.Seeds = append(o.Seeds, fmt.Sprintf("http://slow.test/%d", i))
		}
		for i := range 400 {
			host := fmt.Sprintf("h%d.test", i)
			o.Resolve[host+":80"] = addr
			o.Seeds = append(o.Seeds, "http://"+host+"/")
		}
		records, _, err := crawl(t, o)
		if err != nil || len(records) != len(o.Seeds) {
			t.Fatalf("%d records: %v", len(records), err)
		}
		slices.SortFunc(records, func(a, b record) int { return a.FetchedAt.Compare(b.FetchedAt) })
		var slow []time.Time
		for _, r := range records {
			if strings.Contains(r.URL, "slow") {
				slow = append(slow, r.FetchedAt)
			}
		}
		if len(slow) != 3 || slow[1].Sub(slow[0]) < 290*time.Millisecond || slow[2].Sub(slow[1]) < 290*time.Millisecond {
			t.Errorf("the slow host was asked at %v", slow)
		}
	})
}

package crawl

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pace/limiter"
)

// A page may link to what it also needs: that it is there is not enough then, in whichever order it says so.
func TestLinkToARequisite(t *testing.T) {
	const link, image = `<a href="http://b.test/i.png">i</a>`, `<img src="http://b.test/i.png">`
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		for name, page := range map[string]string{"link first": link + link + image + link, "image first": image + link} {
			w := newWorld(t, map[string]http.HandlerFunc{"a.test/": htmlPage(page), "b.test/i.png": typed("image/png", "x")})
			o := w.options(m, "http://a.test/")
			o.Requisites, o.CheckLinks = true, true
			records, report, err := crawl(t, o)
			if err != nil || len(records) != 2 || report.Items != 2 || report.LinksChecked != 0 {
				t.Errorf("%s: %d records, %d items, %d checked: %v", name, len(records), report.Items, report.LinksChecked, err)
			}
		}
	})
}

// blindFrontier knows of no link before it is committed.
type blindFrontier struct{ frontier }

func (blindFrontier) noted([]pageLink) {}

// linkedSite is what a random site answers with whose pages link to, need and forbid one another.
func linkedSite(t *rapid.T) map[string]http.HandlerFunc {
	hosts := []string{"a.test", "a.test", "b.test"}
	n := rapid.IntRange(2, 9).Draw(t, "pages")
	place := func(i int) string { return fmt.Sprintf("%s/%d", hosts[i%len(hosts)], i) }
	link := rapid.Custom(func(t *rapid.T) string {
		to := "http://" + place(rapid.IntRange(0, n).Draw(t, "to")) // page n is missing
		if rapid.Bool().Draw(t, "session") {
			to += "?sid=" + fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "sid"))
		}
		form := rapid.SampledFrom([]string{
			`<a href="%s">x</a>`, `<a href="%s" rel="nofollow">x</a>`, `<img src="%s">`, `<link rel="stylesheet" href="%s">`, `<iframe src="%s">`,
		}).Draw(t, "form")
		return fmt.Sprintf(form, to)
	})
	pages := map[string]http.HandlerFunc{}
	for i := range n {
		html := strings.Join(rapid.SliceOfN(link, 0, 6).Draw(t, place(i)), "")
		// Redirects stay on a host: whether one may leave it depends on who found the page first.
		to := fmt.Sprintf("/%d", i%3+3*rapid.IntRange(0, 3).Draw(t, "moved"))
		pages[place(i)] = rapid.SampledFrom([]http.HandlerFunc{
			htmlPage(html), htmlPage(html), htmlPage(html), redirect(to), status(410), typed("text/css", "@import '"+to+"'"),
		}).Draw(t, "fate")
	}
	pages["b.test/robots.txt"] = rapid.SampledFrom([]http.HandlerFunc{
		typed("text/plain", ""), typed("text/plain", "user-agent: *\ndisallow: /5"),
	}).Draw(t, "robots")
	return pages
}

// TestLinksThatAreKnownEarly crawls random sites with and without a frontier that says of links that it knows them. It
// must change nothing but what that costs.
func TestLinksThatAreKnownEarly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pages := linkedSite(rt)
		check, requisites, ignore := rapid.Bool().Draw(rt, "check"), rapid.Bool().Draw(rt, "requisites"), rapid.Bool().Draw(rt, "ignore")
		disk := rapid.Bool().Draw(rt, "disk")
		var wg sync.WaitGroup
		var got [4]linkedResult
		for i := range got {
			wg.Go(func() {
				w := newWorld(t, pages)
				defer w.server.Close()
				o := w.options(limiter.Modes[i%len(limiter.Modes)], "http://a.test/0")
				o.CheckLinks, o.Requisites, o.IgnoreNoFollow = check, requisites, ignore
				o.StripQuery, o.Depth, o.Timeout = []*regexp.Regexp{regexp.MustCompile("^sid$")}, 100, time.Minute
				got[i] = crawlLinked(t, o, disk && i > 0, i == 3)
			})
		}
		wg.Wait()
		for i := range got[1:] {
			if d := cmp.Diff(got[3], got[i]); d != "" {
				rt.Errorf("crawl %d differs from the one that knows nothing early:\n%s", i, d)
			}
		}
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// linkedResult is what a crawl must come to however it goes.
type linkedResult struct {
	Pages, Edges []string
	Broken       []BrokenLink
}

func crawlLinked(t *testing.T, o Options, disk, blind bool) (res linkedResult) {
	dir := t.TempDir()
	o.OutputFile, o.Graph = filepath.Join(dir, "pages"), filepath.Join(dir, "graph")
	if disk {
		o.State = filepath.Join(dir, "state")
	}
	c, seeds, err := newCrawler(o)
	if err != nil {
		t.Error(err)
		return res
	}
	if blind {
		c.frontier = blindFrontier{c.frontier}
		c.ledger.frontier = c.frontier
	}
	report, err := c.run(t.Context(), seeds)
	if err != nil {
		t.Error(err)
		return res
	}
	res.Broken = report.BrokenLinks
	text, err := os.ReadFile(o.OutputFile)
	if err != nil {
		t.Error(err)
		return res
	}
	for _, r := range readRecords(t, text) {
		// Which of several that redirect to one page has its record is a matter of which came first.
		if r.Status != http.StatusFound {
			res.Pages = append(res.Pages, fmt.Sprint(r.FinalURL, r.Status, r.Error))
		}
	}
	if n := int64(strings.Count(string(text), "\n")); n != report.Items {
		t.Errorf("%d records of %d items", n, report.Items)
	}
	rows, err := csv.NewReader(strings.NewReader(readText(o.Graph))).ReadAll()
	if err != nil {
		t.Error(err)
	}
	for _, row := range rows {
		res.Edges = append(res.Edges, strings.Join(row, "|"))
	}
	slices.Sort(res.Edges)
	slices.Sort(res.Pages)
	return res
}

// A link to a page that redirects out of scope is broken if nothing is there.
func TestRedirectOutOfScopeToWhatIsGone(t *testing.T) {
	pages := map[string]http.HandlerFunc{
		"a.test/":     htmlPage(`<a href=/good>g</a><a href=/bad>b</a><a href=/far>f</a><a href=/private>p</a><a href=/not>n</a>`),
		"a.test/good": redirect("http://b.test/good"), "b.test/good": htmlPage("good"),
		"a.test/bad": redirect("http://b.test/bad"), "a.test/far": redirect("http://b.test/far"),
		"b.test/far": redirect("http://c.test/far"), "a.test/private": redirect("http://10.0.0.1/"),
		"a.test/not": redirect("http://b.test/excluded"),
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		for _, check := range []bool{true, false} {
			w := newWorld(t, pages)
			o := w.options(m, "http://a.test/")
			o.CheckLinks, o.Exclude = check, []*regexp.Regexp{regexp.MustCompile("/excluded$")}
			records, report, err := crawl(t, o)
			if err != nil || len(records) != 6 {
				t.Errorf("%d records: %v", len(records), err)
			}
			var want []BrokenLink
			checked := int64(0)
			if check {
				const missing = "404 Not Found"
				from := []string{"http://a.test/"}
				want = []BrokenLink{{"http://a.test/bad", 404, missing, "b", from}, {"http://a.test/far", 404, missing, "f", from}}
				checked = 3
			}
			got := report.BrokenLinks
			got = slices.DeleteFunc(got, func(l BrokenLink) bool { return l.URL == "http://a.test/private" }) // has its own reason
			if d := cmp.Diff(want, got); d != "" || report.LinksChecked != checked {
				t.Errorf("check %v: %d were checked, broken links (-want +got):\n%s", check, report.LinksChecked, d)
			}
		}
	})
}

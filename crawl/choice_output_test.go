package crawl

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pace/limiter"
)

// What --strip-query leaves out of a URL is still in the links: outputs find the page all the same.
func TestStripQueryInOutputs(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{
			"a.test/":     links("/p?sid=1#f", "/q?x=1&sid=2", "/hop?sid=3", "/lost?sid=4"),
			"a.test/p":    links("/?sid=5"),
			"a.test/q":    htmlPage(`<img src="/i?sid=6">`),
			"a.test/i":    typed("image/png", "PNG"),
			"a.test/hop":  redirect("/p?sid=7"),
			"a.test/lost": redirect("/gone?sid=8"),
		})
		dir := t.TempDir()
		o := w.options(m, "http://a.test/")
		o.StripQuery = patterns("^sid$")
		o.Mirror, o.Graph, o.CheckLinks = filepath.Join(dir, "m"), filepath.Join(dir, "g.csv"), true
		_, report, err := crawl(t, o)
		if err != nil {
			t.Fatal(err)
		}
		files := tree(t, o.Mirror)
		for name, want := range map[string][]string{
			"a.test/index.html":    {`"p.html#f"`, `"q@x=1.html"`, `"p.html"`, `"http://a.test/lost?sid=4"`},
			"a.test/p.html":        {`"index.html"`},
			"a.test/q@x=1.html":    {`"i@sid=6"`},
			"a.test/i@sid=6":       {"PNG"},
			"a.test/index~no.html": nil,
		} {
			for _, part := range want {
				if !strings.Contains(files[name], part) {
					t.Errorf("%s has no %s: %q", name, part, files[name])
				}
			}
		}
		var broken []string
		for _, l := range report.BrokenLinks {
			broken = append(broken, l.URL)
		}
		if got := strings.Join(broken, " "); got != "http://a.test/lost" {
			t.Errorf("broken links: %q, want the one to /lost", got)
		}
		rows, err := os.ReadFile(o.Graph)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(rows), "p?sid") || !strings.Contains(string(rows), "http://a.test/hop,http://a.test/p,redirect,") {
			t.Errorf("the graph:\n%s", rows)
		}
	})
}

// A body that --content-type keeps from being downloaded is no empty file of a mirror. A sitemap is read whatever its type.
func TestContentTypeInOutputs(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{
			"a.test/": htmlPage(`<img src="/i.png">`), "a.test/i.png": typed("image/png", "PNG"),
			"a.test/s.xml": withHeader("Content-Type", "application/xml", mapOf("http://a.test/1")), "a.test/1": htmlPage("one"),
		})
		o := w.options(m, "http://a.test/", "http://a.test/s.xml")
		o.ContentType, o.Mirror, o.Sitemaps, o.Depth = regexp.MustCompile("^text/"), filepath.Join(t.TempDir(), "m"), true, 0
		records, _, err := crawl(t, o)
		if err != nil {
			t.Fatal(err)
		}
		files := tree(t, o.Mirror)
		if body, ok := files["a.test/i.png"]; ok {
			t.Errorf("the picture is a file: %q", body)
		}
		if got := files["a.test/index.html"]; got != `<img src="http://a.test/i.png">` {
			t.Errorf("the page: %s", got)
		}
		if len(records) != 4 || w.hitsOf("a.test/1") != 1 {
			t.Errorf("%d records, want those of the sitemap's page too", len(records))
		}
	})
}

// A page that is too large is there, and what --exclude names is not asked for, also where a redirect leads.
func TestCheckLinksWithLimits(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{
			"a.test/":       links("/large", "http://b.test/hop", "http://b.test/logout"),
			"a.test/large":  typed("application/zip", strings.Repeat("x", 4096)),
			"b.test/hop":    redirect("/logout"),
			"b.test/logout": htmlPage("bye"),
		})
		o := w.options(m, "http://a.test/")
		o.CheckLinks, o.MaxBody, o.Exclude = true, 1024, patterns("logout")
		_, report, err := crawl(t, o)
		if err != nil || report.ItemsFailed != 1 || len(report.BrokenLinks) > 0 {
			t.Errorf("%d failed, broken links %v, %v", report.ItemsFailed, report.BrokenLinks, err)
		}
		if n := w.hitsOf("b.test/logout"); n > 0 {
			t.Errorf("/logout was asked for %d times", n)
		}
	})
}

// --max-pages-per-host counts over all runs of a state, as --max-pages does.
func TestHostBudgetOutlivesARun(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{"a.test/": links("/1", "/2", "/3", "/4"), "a.test/1": links(), "a.test/2": links(), "a.test/3": links()})
	o := w.keeping(limiter.Async, t.TempDir(), "http://a.test/")
	o.MaxPagesPerHost = 3
	for _, seed := range []string{"http://a.test/", "http://a.test/3", "http://a.test/4"} {
		o.Seeds = []string{seed}
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if got := recordsOf(t, o.OutputFile); len(got) != 3 {
		t.Errorf("records of %v, want 3", got)
	}
}

// A jar that cannot be written at the end is an error at the beginning.
func TestCookieJarWithoutAFolder(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{"a.test/": links()})
	o := w.options(limiter.Async, "http://a.test/")
	o.CookieJar = filepath.Join(t.TempDir(), "none", "jar")
	if _, _, err := crawl(t, o); err == nil || w.hitsOf("a.test/") > 0 {
		t.Errorf("%v, and the page was asked for %d times", err, w.hitsOf("a.test/"))
	}
}

// A link that is only checked keeps nobody from finding the page: here, a sitemap that is read later.
func TestCheckDoesNotStandForAPage(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		for _, state := range []bool{false, true} {
			w := newWorld(t, map[string]http.HandlerFunc{
				"a.test/": links("/1", "/2", "http://b.test/"), "a.test/1": links("/2", "/3"), "a.test/2": links(), "a.test/3": redirect("/1"),
				"a.test/sitemap.xml": mapOf("http://a.test/1"), "b.test/": redirect("http://a.test/1"),
			})
			o := w.keeping(m, t.TempDir(), "http://a.test/")
			if !state {
				o.State = ""
			}
			o.CheckLinks, o.Sitemaps, o.Depth = true, true, 0
			report, err := Run(t.Context(), o)
			if err != nil || len(report.BrokenLinks) > 0 {
				t.Errorf("broken links %v, %v", report.BrokenLinks, err)
			}
			if got := strings.Join(recordsOf(t, o.OutputFile), " "); got != "http://a.test/ http://a.test/1" {
				t.Errorf("records of %s", got)
			}
			if n := w.hitsOf("a.test/2"); n != 1 {
				t.Errorf("/2 was checked %d times", n)
			}
		}
	})
}

// A sitemap that robots.txt names and that is not read is told of, whatever the reason.
func TestSitemapsThatAreNotRead(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{
		"a.test/robots.txt": typed("text/plain", "Sitemap: http://10.0.0.1/s.xml\nSitemap: http://a.test/hop.xml\n"),
		"a.test/":           links(), "a.test/hop.xml": redirect("http://c.test/s.xml"), "c.test/robots.txt": status(503),
	})
	var log bytes.Buffer
	o := w.options(limiter.Sequential, "http://a.test/", "http://c.test/")
	o.Sitemaps, o.Retries, o.Log = true, 0, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if _, _, err := crawl(t, o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`msg="the sitemap is out of bounds" item=http://10.0.0.1/s.xml`, `c.test/s.xml error="robots.txt: 503`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s is not in the log:\n%s", want, log.String())
		}
	}
}

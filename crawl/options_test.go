package crawl

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
	"pace/limiter/exchange"
)

func patterns(texts ...string) (compiled []*regexp.Regexp) {
	for _, text := range texts {
		compiled = append(compiled, regexp.MustCompile(text))
	}
	return compiled
}

// asked returns how many requests for "host/path" came.
func (w *world) asked(place string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hits[place]
}

// TestChoiceOfPages has the options that say which pages are fetched.
func TestChoiceOfPages(t *testing.T) {
	const a = "http://a.test"
	type pages = map[string]http.HandlerFunc
	for _, c := range []struct {
		name    string
		pages   pages
		options func(*Options)
		want    []string
	}{
		{"include and exclude, but seeds always", pages{"/": links("/docs/1", "/docs/1.pdf", "/news/", "/to"), "/docs/1": links("/docs/2?x=1#y", "/"), "/to": redirect("/docs/3")},
			func(o *Options) {
				o.Include, o.Exclude = patterns("^http://a[.]test/docs/", "/to$"), patterns("[.]pdf$", "x=2")
			},
			[]string{a + "/ 200", a + "/docs/1 200", a + "/docs/2?x=1 404", a + "/to 404 -> http://a.test/docs/3"}},
		{"a link's redirect to what is excluded ends", pages{"/": links("/to"), "/to": redirect("/no")},
			func(o *Options) { o.Exclude = patterns("/no") }, []string{a + "/ 200", a + "/to 302"}},
		{"a seed's does not", pages{"/": redirect("/home"), "/home": links("/docs/1", "/x")},
			func(o *Options) { o.Include = patterns("/docs/") }, []string{a + "/ 200 -> http://a.test/home", a + "/docs/1 404"}},
		{"parameters that are stripped", pages{"/": links("/p?sid=1&b=2", "/p?b=2&sid=3", "/p?b=2&utm_x=", "/p?%73id=4&b=2", "/q?sid=5", "/q", "/r?sid", "/r?xsid=1")},
			func(o *Options) { o.StripQuery = patterns("^sid$", "^utm_") },
			[]string{a + "/ 200", a + "/p?b=2 404", a + "/q 404", a + "/r 404", a + "/r?xsid=1 404"}},
		{"a session that begins with a redirect", pages{"/": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "" {
				http.Redirect(w, r, "/?sid=1", http.StatusFound)
			} else {
				links("/1?sid=1", "/1?sid=2", "/?sid=3")(w, r)
			}
		}, "/1": redirect("/2?sid=9&b=1")}, func(o *Options) { o.StripQuery = patterns("sid") },
			[]string{a + "/ 200 -> http://a.test/?sid=1", a + "/1 404 -> http://a.test/2?b=1"}},
		{"seeds are stripped too", pages{}, func(o *Options) {
			o.Seeds, o.StripQuery = []string{a + "/x?sid=1", a + "/x?sid=2"}, patterns("sid")
		}, []string{a + "/x 404"}},
		{"nofollow is ignored", pages{
			"/":     htmlPage(`<a rel=nofollow href=/1></a><a href=/meta></a><a href=/head></a>`),
			"/meta": htmlPage(`<meta name=robots content=nofollow><a href=/2></a>`), "/head": withHeader("X-Robots-Tag", "nofollow", links("/3")),
		}, func(o *Options) { o.IgnoreNoFollow = true },
			[]string{a + "/ 200", a + "/1 404", a + "/2 404", a + "/3 404", a + "/head 200", a + "/meta 200"}},
		{"at most so many pages of a host", pages{"a.test/": links("/1", "/2", "/3", "http://b.test/"), "b.test/": links("/1", "/2", "/3")},
			func(o *Options) { o.MaxPagesPerHost, o.Scope = 3, ScopeAny },
			[]string{a + "/ 200", a + "/1 404", a + "/2 404", "http://b.test/ 200", "http://b.test/1 404", "http://b.test/2 404"}},
		{"canonical pages are fetched once", pages{
			"/": links("/1", "/2"), "/1": htmlPage(`<link rel=canonical href=/c>`), "/2": htmlPage(`<link rel=canonical href=/c><a href=/r></a>`), "/c": htmlPage(""), "/r": redirect("/c"),
		}, func(*Options) {}, []string{a + "/ 200", a + "/1 200", a + "/2 200", a + "/c 200", a + "/r 302 -> http://a.test/c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, m limiter.Mode) {
				w := newWorld(t, c.pages)
				o := w.options(m, a+"/")
				c.options(&o)
				records, report, err := crawl(t, o)
				if d := cmp.Diff(c.want, outcomeOf(records, report).lines); d != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, d)
				}
				if n := w.asked("a.test/c"); n > 1 {
					t.Errorf("the canonical page was fetched %d times", n)
				}
			})
		})
	}
}

func TestWithoutParameters(t *testing.T) {
	drop := func(name string) bool { return name == "s" || name == "" }
	for from, want := range map[string]string{
		"http://a/":               "http://a/",
		"http://a/?b=1":           "http://a/?b=1",
		"http://a/?s=1":           "http://a/",
		"http://a/?s":             "http://a/",
		"http://a/?s=1&b=2&s=3":   "http://a/?b=2",
		"http://a/?b=2&&c":        "http://a/?b=2&c",
		"http://a/?%73=1&b=%73":   "http://a/?b=%73",
		"http://a/?%zz=1&s=1":     "http://a/?%zz=1",
		"http://a/p?S=1&b=s=1&&&": "http://a/p?S=1&b=s=1",
	} {
		got := mustURL(t, from).withoutParameters(drop)
		if want := mustURL(t, want); got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
}

func TestContentTypesThatAreNotDownloaded(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{
			"/":     links("/big", "/text", "/none", "/sitemap"),
			"/big":  endless("HTTP/1.1 200 OK\r\nContent-Type: Video/MP4; x=y\r\n\r\n", strings.Repeat("x", 1000), time.Millisecond),
			"/text": withHeader("Content-Type", "text/plain", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }),
			"/none": raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
		})
		o := w.options(m, "http://a.test/")
		o.ContentType = regexp.MustCompile("^text/")
		records, report, err := crawl(t, o)
		if err != nil || report.ItemsFailed > 0 || len(records) != 5 {
			t.Fatalf("%d failed of %d: %v", report.ItemsFailed, len(records), err)
		}
		for _, r := range records {
			whole := r.URL != "http://a.test/big"
			if (r.SHA256 != "") != whole || (r.Bytes > 0) != whole || r.Status == 0 {
				t.Errorf("%s: %d bytes, hash %q", r.URL, r.Bytes, r.SHA256)
			}
		}
	})
}

func TestDuplicatesAreMarked(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		o := newWorld(t, map[string]http.HandlerFunc{
			"/": links("/1", "/2", "/3", "/other", "/gone", "/gone2", "/empty", "/empty2"), "/1": htmlPage("x"), "/2": htmlPage("x"), "/3": htmlPage("x"),
			"/other": htmlPage("y"), "/empty": htmlPage(""), "/empty2": htmlPage(""),
		}).options(m, "http://a.test/")
		records, _, err := crawl(t, o)
		if err != nil {
			t.Fatal(err)
		}
		marked, first := 0, map[string]bool{}
		for _, r := range records {
			if r.DuplicateOf != "" {
				marked++
				first[r.DuplicateOf] = true
			}
		}
		if marked != 2 || len(first) != 1 {
			t.Errorf("%d are duplicates of %v", marked, first)
		}
		for _, r := range records {
			if first[r.URL] && r.DuplicateOf != "" {
				t.Errorf("%s is the first, and a duplicate", r.URL)
			}
		}
	})
}

func TestMaxTime(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
			var all []string
			for i := range 1000 {
				all = append(all, fmt.Sprintf("/%d", i))
			}
			links(all...)(w, r)
		}, "/0": func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(1200 * time.Millisecond) // in flight when the time is over
			htmlPage("")(w, r)
		}})
		for _, global := range []*limiter.Rate{nil, limiter.NewRate(20)} {
			o := w.options(m, "http://a.test/")
			o.MaxTime, o.GlobalRate = time.Second, global
			if global == nil {
				o.Rate = 20
			}
			var logged strings.Builder
			o.Log = slog.New(slog.NewTextHandler(&logged, nil))
			start := time.Now()
			records, report, err := crawl(t, o)
			if err != nil || report.ItemsFailed != 0 || len(records) < 2 || len(records) > 30 || time.Since(start) > 10*time.Second {
				t.Fatalf("%d records, %d failed after %v: %v", len(records), report.ItemsFailed, time.Since(start), err)
			}
			if !strings.Contains(logged.String(), "stopped by --max-time after 1s; ") {
				t.Errorf("it says %s", logged.String())
			}
			if records[1].URL != "http://a.test/0" || records[1].Status != 200 {
				t.Errorf("what was in flight came to %d", records[1].Status)
			}
		}
	})
}

func TestCookies(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		path := filepath.Join(t.TempDir(), "jar")
		var mu sync.Mutex
		sent := map[string]string{}
		note := func(next http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				sent[r.Host+r.URL.Path] = r.Header.Get("Cookie")
				next(w, r)
			}
		}
		w := newWorld(t, map[string]http.HandlerFunc{
			"a.test/":     note(withHeader("Set-Cookie", "moved=1; Path=/", redirect("/home"))),
			"a.test/home": note(withHeader("Set-Cookie", "home=1; Max-Age=1000", links("/next", "http://b.test/"))),
			"a.test/next": note(status(404)),
			"b.test/":     note(withHeader("Set-Cookie", "evil=1; Domain=a.test", htmlPage(""))),
		})
		for run, want := range []map[string]string{
			{"a.test/": "", "a.test/home": "moved=1", "a.test/next": "moved=1; home=1", "b.test/": ""},
			{"a.test/": "own=1; moved=1; home=1", "a.test/home": "own=1; moved=1; home=1", "a.test/next": "own=1; moved=1; home=1", "b.test/": ""},
		} {
			o := w.options(m, "http://a.test/")
			o.Scope, o.CookieJar, o.PerHost, o.Header = ScopeAny, path, 1, http.Header{}
			if run > 0 {
				o.Header.Set("Cookie", "own=1") // goes to the seeds' hosts only
			}
			if _, report, err := crawl(t, o); err != nil || report.ItemsFailed > 0 {
				t.Fatalf("%d failed: %v", report.ItemsFailed, err)
			}
			mu.Lock()
			if d := cmp.Diff(want, sent); d != "" {
				t.Errorf("run %d (-want +got):\n%s", run, d)
			}
			mu.Unlock()
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "a.test\tFALSE\t/\tFALSE\t0\tmoved\t1\n") || strings.Contains(string(text), "evil") {
			t.Errorf("%v: %s", err, text)
		}
		mu.Lock()
		clear(sent)
		mu.Unlock()
		_, _, err = crawl(t, w.options(m, "http://a.test/home", "http://a.test/next"))
		mu.Lock()
		defer mu.Unlock()
		if err != nil || sent["a.test/next"] != "" {
			t.Errorf("without a jar %q is sent: %v", sent["a.test/next"], err)
		}
	})
}

func TestCookieJarsThatCannotBe(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{"/": htmlPage("")})
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "no", "where")} {
		o := w.options(limiter.Async, "http://a.test/")
		o.CookieJar = path
		if _, _, err := crawl(t, o); err == nil || !strings.Contains(err.Error(), "the cookie jar") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestDNSCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := map[string]int{}
		var mu sync.Mutex
		d := newDNSCache()
		d.find = func(ctx context.Context, host string) ([]netip.Addr, error) {
			mu.Lock()
			asked[host]++
			mu.Unlock()
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			switch host {
			case "none":
				return nil, &net.DNSError{Name: host, IsNotFound: true}
			case "broken":
				return nil, &net.DNSError{Name: host, IsTimeout: true}
			}
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		}
		lookup := func(host string, times int) {
			t.Helper()
			addrs, err := d.lookup(t.Context(), host)
			if (err == nil) != (len(addrs) == 1) || (err == nil) != (host == "a") {
				t.Errorf("%s: %v, %v", host, addrs, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if asked[host] != times {
				t.Errorf("%s was asked for %d times, want %d", host, asked[host], times)
			}
		}
		var wg sync.WaitGroup
		for range 10 { // at the same time
			wg.Go(func() { lookup("a", 1) })
		}
		wg.Wait()
		time.Sleep(dnsFor - time.Second)
		lookup("a", 1)
		time.Sleep(time.Second)
		lookup("a", 2)
		d.forget("a")
		lookup("a", 3)
		lookup("none", 1)
		lookup("none", 1)
		time.Sleep(dnsNoneFor)
		lookup("none", 2)
		lookup("broken", 1)
		lookup("broken", 2)

		// Who gives up takes nobody along.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		d.forget("a")
		wg.Go(func() {
			if _, err := d.lookup(ctx, "a"); err == nil {
				t.Error("a lookup outlives its context")
			}
		})
		synctest.Wait()
		lookup("a", 5)
		wg.Wait()

		d.find = func(context.Context, string) ([]netip.Addr, error) { return nil, nil }
		for i := range maxNames + 100 {
			_, _ = d.lookup(t.Context(), fmt.Sprint(i))
		}
		if len(d.names) > maxNames {
			t.Errorf("%d names are remembered", len(d.names))
		}
	})
}

// TestRobotsAreAskedForAgain has a run longer than a robots.txt counts.
func TestRobotsAreAskedForAgain(t *testing.T) {
	const forbid = "User-agent: *\nDisallow: /no"
	for _, c := range []struct {
		name    string
		answers []http.HandlerFunc // the first, and all others
		want    []string
	}{
		{"it forbids more now", []http.HandlerFunc{htmlPage(""), htmlPage(forbid)}, []string{"/ 200", "/1 200", "/2 404"}},
		{"it cannot be had any more", []http.HandlerFunc{htmlPage(forbid), status(500)}, []string{"/ 200", "/1 200", "/2 404"}},
		{"it is lost", []http.HandlerFunc{htmlPage(forbid), hangUp(1000, nil)}, []string{"/ 200", "/1 200", "/2 404"}},
		{"it is gone", []http.HandlerFunc{htmlPage(forbid), status(404)}, []string{"/ 200", "/1 200", "/2 404", "/no 404"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inEachMode(t, func(t *testing.T, m limiter.Mode) {
				w := newWorld(t, map[string]http.HandlerFunc{
					"/robots.txt": first(c.answers[0], c.answers[1]), "/": links("/1"),
					"/1": func(w http.ResponseWriter, r *http.Request) {
						time.Sleep(400 * time.Millisecond)
						links("/2", "/no")(w, r)
					},
				})
				o := w.options(m, "http://a.test/")
				o.Retries = 0
				var out strings.Builder
				o.Output = &out
				cr, seeds, err := newCrawler(o)
				if err != nil {
					t.Fatal(err)
				}
				cr.robotsLifetime = 300 * time.Millisecond
				if _, err := cr.run(t.Context(), seeds); err != nil {
					t.Error(err)
				}
				var got []string
				for _, r := range readRecords(t, []byte(out.String())) {
					got = append(got, fmt.Sprint(strings.TrimPrefix(r.URL, "http://a.test"), " ", r.Status))
				}
				if d := cmp.Diff(c.want, got); d != "" || w.asked("a.test/robots.txt") < 2 {
					t.Errorf("robots.txt was asked for %d times (-want +got):\n%s", w.asked("a.test/robots.txt"), d)
				}
			})
		})
	}
}

// TestTimeoutsPauseTheHost has a host that answers nothing: its other pages wait longer and longer, and other hosts don't.
func TestTimeoutsPauseTheHost(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{"a.test/1": silent, "a.test/2": htmlPage(""), "b.test/": htmlPage("")})
		o := w.options(m, "http://a.test/1", "http://a.test/2", "http://b.test/")
		o.PerHost, o.Timeout, o.Retries, o.IgnoreRobots = 1, 100*time.Millisecond, 0, true
		c, seeds, err := newCrawler(o)
		if err != nil {
			t.Fatal(err)
		}
		starts := map[string]time.Time{}
		c.frontier.(*memoryFrontier).observe = func(it *item, at time.Time) { starts[it.url.String()] = at }
		if _, err := c.run(t.Context(), seeds); err != nil {
			t.Error(err)
		}
		if d := starts["http://a.test/2"].Sub(starts["http://a.test/1"]); d < 100*time.Millisecond+exchange.FirstBackoff/2 {
			t.Errorf("the next request came after %v", d)
		}
		if m != limiter.Sequential && starts["http://b.test/"].Sub(starts["http://a.test/1"]) > 100*time.Millisecond {
			t.Error("another host waited")
		}
	})
}

func TestMinSpeedIsOneRecord(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{
			"/body":   endless(okHeader+"\r\n", "x", 10*time.Millisecond),
			"/header": endless(okHeader, "X", 10*time.Millisecond),
			"/good":   htmlPage("x"),
		})
		o := w.options(m, "http://a.test/body", "http://a.test/header", "http://a.test/good")
		o.IgnoreRobots, o.Retries, o.Timeout = true, 0, time.Minute
		var out strings.Builder
		o.Output = &out
		c, seeds, err := newCrawler(o)
		if err != nil {
			t.Fatal(err)
		}
		c.client.Close()
		c.client = exchange.New(exchange.Options{Mode: m, Timeout: o.Timeout, Lookup: c.lookup, Control: c.control,
			MinSpeed: 1000, SpeedWindow: 200 * time.Millisecond})
		start := time.Now()
		report, err := c.run(t.Context(), seeds)
		if err != nil || report.ItemsFailed != 2 || report.Items != 3 || time.Since(start) > 10*time.Second {
			t.Errorf("%d of %d failed after %v: %v", report.ItemsFailed, report.Items, time.Since(start), err)
		}
		if n := strings.Count(out.String(), "the answer comes too slowly"); n != 2 {
			t.Errorf("%d say why: %s", n, out.String())
		}
	})
}

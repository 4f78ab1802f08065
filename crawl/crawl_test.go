package crawl

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
	"pace/limiter/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// inEachMode runs a test once a mode.
func inEachMode(t *testing.T, test func(t *testing.T, m limiter.Mode)) {
	for _, m := range limiter.Modes {
		t.Run(m.String(), func(t *testing.T) { test(t, m) })
	}
}

// world is a server that answers for several hosts: a key is "host/path", or "/path" for every host.
type world struct {
	server *httptest.Server
	pages  map[string]http.HandlerFunc

	mu   sync.Mutex
	hits map[string]int
}

func newWorld(t *testing.T, pages map[string]http.HandlerFunc) *world {
	w := &world{pages: pages, hits: map[string]int{}}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		w.mu.Lock()
		w.hits[host+r.URL.Path]++
		page := w.pages[host+r.URL.Path]
		if page == nil {
			page = w.pages[r.URL.Path]
		}
		w.mu.Unlock()
		if page == nil {
			http.NotFound(rw, r)
			return
		}
		page(rw, r)
	}))
	t.Cleanup(w.server.Close)
	return w
}

// set gives a page another answer, and returns the one it had.
func (w *world) set(page string, answer http.HandlerFunc) http.HandlerFunc {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.pages[page]
	w.pages[page] = answer
	return old
}

// options returns options that crawl the hosts a.test to d.test of this world.
func (w *world) options(m limiter.Mode, seeds ...string) Options {
	addr := netip.MustParseAddrPort(w.server.Listener.Addr().String())
	o := Options{Seeds: seeds, Mode: m, Workers: 8, Depth: 5, PerHost: 2, Timeout: 5 * time.Second, Resolve: map[string]netip.AddrPort{}}
	for _, host := range []string{"a", "b", "c", "d"} {
		o.Resolve[host+".test:80"] = addr
	}
	return o
}

// crawl runs and returns the records, sorted by their URL.
func crawl(t *testing.T, o Options) ([]record, Report, error) {
	t.Helper()
	var out bytes.Buffer
	o.Output = &out
	report, err := Run(t.Context(), o)
	var records []record
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%v in %q", err, lines.Text())
		}
		records = append(records, r)
	}
	slices.SortFunc(records, func(a, b record) int { return strings.Compare(a.URL, b.URL) })
	return records, report, err
}

// readText returns what a file holds, nothing if it is not there.
func readText(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

func htmlPage(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(body))
	}
}

func links(hrefs ...string) http.HandlerFunc {
	var b strings.Builder
	for _, href := range hrefs {
		fmt.Fprintf(&b, `<a href="%s">x</a>`, href)
	}
	return htmlPage(b.String())
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func status(codes ...int) http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(codes[min(int(n.Add(1)), len(codes))-1])
	}
}

func withHeader(key, value string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(key, value)
		next(w, r)
	}
}

// hangUp closes the connection without an answer for the first n requests.
func hangUp(n int64, next http.HandlerFunc) http.HandlerFunc {
	var seen atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if seen.Add(1) <= n {
			panic(http.ErrAbortHandler)
		}
		next(w, r)
	}
}

// outcome is what of a record and a run the cases below compare.
type outcome struct {
	lines   []string // "url status", " -> final_url" where it differs, " ! error" where there is one
	skipped int64
	failed  int64
}

func outcomeOf(records []record, report Report) outcome {
	o := outcome{skipped: report.ItemsSkipped, failed: report.ItemsFailed}
	for _, r := range records {
		line := fmt.Sprint(r.URL, " ", r.Status)
		if r.FinalURL != r.URL {
			line += " -> " + r.FinalURL
		}
		if r.Error != "" {
			line += " ! " + r.Error
		}
		o.lines = append(o.lines, line)
	}
	return o
}

func TestRun(t *testing.T) {
	type pages = map[string]http.HandlerFunc
	for _, c := range []struct {
		name    string
		pages   func() pages
		seeds   []string
		options func(*Options)
		want    outcome
	}{
		{
			name: "links are followed once, within the host and the depth",
			pages: func() pages {
				return pages{
					"/":  links("b", "/b#x", "c?q=1", "http://b.test/", "mailto:x@y", "//a.test/d"),
					"/b": links("/e"), "/c": links("/"), "/d": htmlPage("x"), "/e": links("/f"), "/f": htmlPage("too deep"),
				}
			},
			options: func(o *Options) { o.Depth = 2 },
			want: outcome{lines: []string{"http://a.test/ 200", "http://a.test/b 200", "http://a.test/c?q=1 200",
				"http://a.test/d 200", "http://a.test/e 200"}},
		},
		{
			name:    "depth 0 is the seeds only, each once",
			pages:   func() pages { return pages{"/": links("/b"), "/b": htmlPage("")} },
			seeds:   []string{"http://a.test/", "http://A.test", "http://a.test/#x", "http://b.test/"},
			options: func(o *Options) { o.Depth = 0 },
			want:    outcome{lines: []string{"http://a.test/ 200", "http://b.test/ 200"}},
		},
		{
			name:  "404 is a record, no failure",
			pages: func() pages { return pages{"/": links("/gone")} },
			want:  outcome{lines: []string{"http://a.test/ 200", "http://a.test/gone 404"}},
		},
		{
			name: "retries",
			pages: func() pages {
				return pages{
					"/":     links("/once", "/never", "/hang", "/busy"),
					"/once": status(500, 200), "/never": status(502), "/hang": hangUp(2, htmlPage("")),
					"/busy": withHeader("Retry-After", "0", status(429, 503, 200)),
				}
			},
			want: outcome{failed: 1, lines: []string{"http://a.test/ 200", "http://a.test/busy 200", "http://a.test/hang 200",
				"http://a.test/never 502 ! 502 Bad Gateway", "http://a.test/once 200"}},
		},
		{
			name:    "no retries",
			pages:   func() pages { return pages{"/": links("/x"), "/x": status(503, 200)} },
			options: func(o *Options) { o.Retries = 0 },
			want:    outcome{failed: 1, lines: []string{"http://a.test/ 200", "http://a.test/x 503 ! 503 Service Unavailable"}},
		},
		{
			name: "redirects move the item",
			pages: func() pages {
				return pages{
					"/": links("/1"), "/1": redirect("2"), "/2": redirect("/3?x=<y>"), "/3": links("/deep"), "/deep": htmlPage(""),
				}
			},
			options: func(o *Options) { o.Depth = 2 },
			want: outcome{lines: []string{"http://a.test/ 200", "http://a.test/1 200 -> http://a.test/3?x=%3Cy%3E",
				"http://a.test/deep 200"}},
		},
		{
			name: "the body of a redirect does not matter",
			pages: func() pages {
				return pages{"/": links("/long", "/cut"), "/long": func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Location", "/1")
					w.WriteHeader(302)
					_, _ = w.Write(make([]byte, 2000))
				}, "/cut": withHeader("Content-Length", "900", redirect("/2")), "/1": htmlPage(""), "/2": htmlPage("")}
			},
			options: func(o *Options) { o.MaxBody, o.Retries = 1000, 0 },
			want: outcome{lines: []string{"http://a.test/ 200", "http://a.test/cut 200 -> http://a.test/2",
				"http://a.test/long 200 -> http://a.test/1"}},
		},
		{
			name:  "a redirect to what has been seen closes the record",
			pages: func() pages { return pages{"/": redirect("/"), "/b": redirect("/c"), "/c": redirect("/b")} },
			seeds: []string{"http://a.test/", "http://b.test/b"},
			want:  outcome{lines: []string{"http://a.test/ 302", "http://b.test/b 302"}},
		},
		{
			name: "redirects end",
			pages: func() pages {
				p := pages{}
				for i := range 20 {
					p[fmt.Sprintf("/%d", i)] = redirect(fmt.Sprintf("/%d", i+1))
				}
				return p
			},
			seeds: []string{"http://a.test/0"},
			want: outcome{failed: 1, lines: []string{
				"http://a.test/0 302 -> http://a.test/10 ! more than 10 redirects"}},
		},
		{
			name: "a link's redirect out of scope is not followed, a seed's brings its host into scope",
			pages: func() pages {
				return pages{
					"a.test/": redirect("http://b.test/"), "b.test/": links("/in", "/out", "http://c.test/"),
					"b.test/in": htmlPage(""), "b.test/out": redirect("http://c.test/x"),
				}
			},
			want: outcome{lines: []string{"http://a.test/ 200 -> http://b.test/", "http://b.test/in 200", "http://b.test/out 302"}},
		},
		{
			name: "scope any",
			pages: func() pages {
				return pages{"a.test/": links("http://b.test/", "http://c.test/x"), "b.test/": htmlPage(""), "c.test/x": htmlPage("")}
			},
			options: func(o *Options) { o.Scope = ScopeAny },
			want:    outcome{lines: []string{"http://a.test/ 200", "http://b.test/ 200", "http://c.test/x 200"}},
		},
		{
			name: "robots.txt is obeyed",
			pages: func() pages {
				return pages{
					"/robots.txt": htmlPage("User-agent: pace\nDisallow: /no\nAllow: /no/yes\nUser-agent: *\nDisallow: /"),
					"/":           links("/no", "/no/yes", "/no/1", "/no#again", "/to"), "/no/yes": htmlPage(""), "/to": redirect("/no/2"),
				}
			},
			want: outcome{skipped: 3, lines: []string{"http://a.test/ 200", "http://a.test/no/yes 200"}},
		},
		{
			name:    "or not",
			pages:   func() pages { return pages{"/robots.txt": htmlPage("User-agent: *\nDisallow: /"), "/": htmlPage("")} },
			options: func(o *Options) { o.IgnoreRobots = true },
			want:    outcome{lines: []string{"http://a.test/ 200"}},
		},
		{
			name:    "robots.txt that cannot be had disallows",
			pages:   func() pages { return pages{"/robots.txt": status(503), "/": htmlPage("")} },
			seeds:   []string{"http://a.test/", "http://a.test/2"},
			options: func(o *Options) { o.Retries = 0 },
			want: outcome{failed: 2, lines: []string{"http://a.test/ 0 ! robots.txt: 503 Service Unavailable",
				"http://a.test/2 0 ! robots.txt: 503 Service Unavailable"}},
		},
		{
			name: "robots.txt elsewhere",
			pages: func() pages {
				return pages{
					"a.test/robots.txt": redirect("http://b.test/rules"), "b.test/rules": htmlPage("User-agent: *\nDisallow: /no"),
					"a.test/": links("/no"),
				}
			},
			want: outcome{skipped: 1, lines: []string{"http://a.test/ 200"}},
		},
		{
			name: "a Crawl-delay above the limit skips the host",
			pages: func() pages {
				return pages{"a.test/robots.txt": htmlPage("User-agent: *\nCrawl-delay: 61"), "/": htmlPage("")}
			},
			seeds: []string{"http://a.test/", "http://b.test/"},
			want:  outcome{skipped: 1, lines: []string{"http://b.test/ 200"}},
		},
		{
			name: "limits of a body",
			pages: func() pages {
				return pages{
					"/":     links("/long", "/endless", "/bomb", "/odd", "/cut"),
					"/long": htmlPage(strings.Repeat("x", 2000)),
					"/endless": func(w http.ResponseWriter, r *http.Request) {
						for r.Context().Err() == nil {
							if _, err := w.Write(make([]byte, 1000)); err != nil {
								return
							}
						}
					},
					"/bomb": withHeader("Content-Encoding", "gzip", htmlPage(zipped(strings.Repeat("x", 1<<20)))),
					"/odd":  withHeader("Content-Encoding", "compress", htmlPage("x")),
					"/cut":  withHeader("Content-Length", "900", htmlPage("x")),
				}
			},
			options: func(o *Options) { o.MaxBody, o.Retries = 1000, 0 },
			want: outcome{failed: 5, lines: []string{"http://a.test/ 200",
				"http://a.test/bomb 200 ! the body has more than the 1000 bytes allowed (see --max-body)",
				"http://a.test/cut 200 ! read ADDR: unexpected EOF",
				"http://a.test/endless 200 ! the body has more than the 1000 bytes allowed (see --max-body)",
				"http://a.test/long 200 ! the body has 2000 bytes, more than the 1000 allowed (see --max-body)",
				"http://a.test/odd 200 ! the body has the content encoding \"compress\", which was not asked for"}},
		},
		{
			name: "nofollow",
			pages: func() pages {
				return pages{
					"/":      htmlPage(`<a rel=nofollow href=/x>x</a><a href=/meta></a><a href=/head></a><a href=/other></a>`),
					"/meta":  htmlPage(`<meta name=robots content=nofollow><a href=/x></a>`),
					"/head":  withHeader("X-Robots-Tag", "noindex, nofollow", links("/x")),
					"/other": withHeader("X-Robots-Tag", "otherbot: nofollow", links("/yes")), "/yes": htmlPage(""),
				}
			},
			want: outcome{lines: []string{"http://a.test/ 200", "http://a.test/head 200", "http://a.test/meta 200",
				"http://a.test/other 200", "http://a.test/yes 200"}},
		},
		{
			name:  "a bad seed among good ones",
			pages: func() pages { return pages{"/": htmlPage("")} },
			seeds: []string{"ftp://x/", "http://a.test/"},
			want: outcome{failed: 1, lines: []string{
				`ftp://x/ 0 ! "ftp://x/": not an http or https URL`, "http://a.test/ 200"}},
		},
		{
			name:    "a seed without a scheme",
			pages:   func() pages { return pages{"/robots.txt": status(404), "/p": htmlPage("")} },
			seeds:   []string{"a.test/p"},
			options: func(o *Options) { o.Resolve["a.test:443"] = closedPort() },
			want:    outcome{lines: []string{"http://a.test/p 200"}},
		},
		{
			name:    "at most so many pages",
			pages:   func() pages { return pages{"/": links("/1", "/2", "/3", "/4")} },
			options: func(o *Options) { o.MaxPages = 3 },
			want:    outcome{lines: []string{"http://a.test/ 200", "http://a.test/1 404", "http://a.test/2 404"}},
		},
		{
			name: "links do not lead into private networks",
			pages: func() pages {
				return pages{"a.test/": links("http://127.0.0.1/", "http://[::1]/", "/r"),
					"a.test/r": redirect("http://10.0.0.1/")}
			},
			options: func(o *Options) { o.Scope = ScopeAny; o.Retries = 0 },
			want: outcome{failed: 1, lines: []string{"http://a.test/ 200",
				"http://a.test/r 302 ! 10.0.0.1 is the private address 10.0.0.1, and links may not lead there (see --allow-private)"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, m limiter.Mode) {
				w := newWorld(t, c.pages())
				if c.seeds == nil {
					c.seeds = []string{"http://a.test/"}
				}
				o := w.options(m, c.seeds...)
				o.Retries = 2
				if c.options != nil {
					c.options(&o)
				}
				records, report, err := crawl(t, o)
				if err != nil {
					t.Error(err)
				}
				got := outcomeOf(records, report)
				for i := range got.lines {
					got.lines[i] = strings.ReplaceAll(got.lines[i], w.server.Listener.Addr().String(), "ADDR")
				}
				if d := cmp.Diff(c.want, got, cmp.AllowUnexported(outcome{})); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				if report.Items != int64(len(records)) {
					t.Errorf("%d items, %d records", report.Items, len(records))
				}
			})
		})
	}
}

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// closedPort returns an address on which nobody listens.
func closedPort() netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer func() { _ = l.Close() }()
	return netip.MustParseAddrPort(l.Addr().String())
}

func TestRecord(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		body := zipped(`<base href="/sub/"><title> Caf` + "\xe9" + `  au lait </title><a href=x>1</a><a href=x#y>2</a>` +
			`<a href="http://b.test/"> b </a><a href="javascript:void(0)">js</a>`)
		w := newWorld(t, map[string]http.HandlerFunc{
			"/page": withHeader("Content-Encoding", "gzip", withHeader("Content-Type", "text/html; charset=latin1",
				func(w http.ResponseWriter, r *http.Request) {
					if got := r.Header.Get("User-Agent") + "|" + r.Header.Get("X-A"); got != "bot/1|b" {
						t.Errorf("sent %s", got)
					}
					_, _ = w.Write([]byte(body))
				})),
		})
		o := w.options(m, "http://a.test/page")
		o.Depth = 0
		o.UserAgent = "bot/1"
		o.Header = http.Header{"X-A": {"b"}}
		for _, s := range []string{"heading=title", "hrefs=a@href", "texts=a", "none=h1"} {
			sel, err := ParseSelector(s)
			if err != nil {
				t.Fatal(err)
			}
			o.Select = append(o.Select, sel)
		}
		before := time.Now()
		records, report, err := crawl(t, o)
		if err != nil || len(records) != 1 {
			t.Fatalf("%d records, %v", len(records), err)
		}
		got := records[0]
		if got.FetchedAt.Before(before.Truncate(time.Second)) || got.FetchedAt.After(time.Now()) {
			t.Errorf("fetched at %v", got.FetchedAt)
		}
		if got.Timing.Total <= 0 || got.Timing.TTFB <= 0 || got.Timing.Total < got.Timing.TTFB {
			t.Errorf("timing %+v", got.Timing)
		}
		got.FetchedAt, got.Timing = time.Time{}, timing{}
		want := record{
			URL: "http://a.test/page", FinalURL: "http://a.test/page", Status: 200, ContentType: "text/html; charset=latin1",
			Title: "Café au lait", Bytes: 158,
			SHA256: "", Links: []string{"http://a.test/sub/x", "http://b.test/"},
			Selected: map[string][]string{"heading": {"Café au lait"}, "texts": {"1", "2", "b", "js"}, "none": {},
				"hrefs": {"x", "x#y", "http://b.test/", "javascript:void(0)"}},
		}
		want.Bytes, want.SHA256 = got.Bytes, got.SHA256
		if len(got.SHA256) != 64 || got.Bytes == int64(len(body)) {
			t.Errorf("%d bytes, sha256 %q", got.Bytes, got.SHA256)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if report.Bytes < int64(len(body)) {
			t.Errorf("%d bytes moved", report.Bytes)
		}
	})
}

func TestNoFallBackFromABadCertificate(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{"/": htmlPage("")})
		secure := httptest.NewUnstartedServer(nil)
		secure.Config.ErrorLog = log.New(io.Discard, "", 0)
		secure.StartTLS()
		defer secure.Close()
		for _, ignore := range []bool{false, true} {
			o := w.options(m, "a.test")
			o.Resolve["a.test:443"] = netip.MustParseAddrPort(secure.Listener.Addr().String())
			o.IgnoreRobots = ignore
			records, _, err := crawl(t, o)
			if err == nil || len(records) != 1 || !strings.Contains(records[0].Error, "certificate") {
				t.Errorf("got %v, %+v", err, records)
			}
		}
		if len(w.hits) != 0 {
			t.Errorf("requests went out in the clear: %v", w.hits)
		}
	})
}

func TestSecretsStayWithTheSeeds(t *testing.T) {
	c, _, err := newCrawler(Options{
		Seeds: []string{"http://a.test/"}, Scope: ScopeAny,
		Header: http.Header{"Authorization": {"secret"}, "Cookie": {"c"}, "X-A": {"b"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.client.Close()
	for host, want := range map[string]string{"a.test": "secret c b", "d.test": "  b"} {
		h := c.request(t.Context(), mustURL(t, "http://"+host+"/")).Header
		if got := h.Get("Authorization") + " " + h.Get("Cookie") + " " + h.Get("X-A"); got != want {
			t.Errorf("%s is sent %q, want %q", host, got, want)
		}
	}
}

func TestTimeoutIsOneRecord(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{
			"/":       links("/silent", "/drip"),
			"/silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			"/drip": func(w http.ResponseWriter, r *http.Request) {
				for range 1000 {
					_, _ = w.Write([]byte("x"))
					_ = http.NewResponseController(w).Flush()
					select {
					case <-r.Context().Done():
						return
					case <-time.After(10 * time.Millisecond):
					}
				}
			},
		})
		o := w.options(m, "http://a.test/")
		o.Timeout = 300 * time.Millisecond
		records, report, err := crawl(t, o)
		if err != nil || len(records) != 3 || report.ItemsFailed != 2 {
			t.Fatalf("%d records, %d failed, %v", len(records), report.ItemsFailed, err)
		}
		for _, r := range records[1:] {
			if !strings.Contains(r.Error, "time") {
				t.Errorf("%s: %q", r.URL, r.Error)
			}
		}
	})
}

func TestStartErrors(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		addr := closedPort().String()
		records, report, err := crawl(t, Options{Seeds: []string{"http://" + addr + "/"}, Mode: m})
		if err == nil || !strings.Contains(err.Error(), "connection refused") || report.ItemsFailed != 1 || len(records) != 1 {
			t.Errorf("one item: %v, %d failed, %d records", err, report.ItemsFailed, len(records))
		}
		_, report, err = crawl(t, Options{Seeds: []string{"http://" + addr + "/a", "http://" + addr + "/b"}, Mode: m})
		if err != nil || report.ItemsFailed != 2 {
			t.Errorf("two items: %v, %d failed", err, report.ItemsFailed)
		}
		var usage *UsageError
		for _, seeds := range [][]string{nil, {"ftp://a/"}, {"http://"}, {"http://user:pw@a/"}, {"a b"}} {
			if _, _, err = crawl(t, Options{Seeds: seeds, Mode: m}); !errors.As(err, &usage) {
				t.Errorf("seeds %q: %v", seeds, err)
			}
		}
	})
}

type failingWriter struct{}

var errFull = errors.New("no space left on device")

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

func TestOutputThatFailsEndsTheRun(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{"/": links("/1", "/2")})
		o := w.options(m, "http://a.test/")
		o.Output = failingWriter{}
		if _, err := Run(t.Context(), o); !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCancel(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		ctx, cancel := context.WithCancel(t.Context())
		entered := make(chan struct{})
		w := newWorld(t, map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
		}})
		go func() {
			<-entered
			cancel()
		}()
		o := w.options(m, "http://a.test/")
		var out bytes.Buffer
		o.Output = &out
		report, err := Run(ctx, o)
		if !errors.Is(err, context.Canceled) || report.Items != 0 || out.Len() != 0 {
			t.Errorf("got %v, %d items, %q", err, report.Items, out.String())
		}
	})
}

// TestPoliteness takes the time of each write, retries, redirects and robots.txt included, and what the server sees.
func TestPoliteness(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		const gap, perHost = 30 * time.Millisecond, 2
		var mu sync.Mutex
		inFlight, peak := map[string]int{}, map[string]int{}
		page := func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			inFlight[r.Host]++
			peak[r.Host] = max(peak[r.Host], inFlight[r.Host])
			mu.Unlock()
			time.Sleep(50 * time.Millisecond)
			mu.Lock()
			inFlight[r.Host]--
			mu.Unlock()
			switch r.URL.Path {
			case "/flaky":
				w.WriteHeader(500)
			case "/moved":
				http.Redirect(w, r, "http://b.test/5", http.StatusFound)
			default:
				links("/1", "/2", "/3", "/flaky", "/moved")(w, r)
			}
		}
		pages := map[string]http.HandlerFunc{}
		for _, p := range []string{"/robots.txt", "/", "/1", "/2", "/3", "/flaky", "/moved", "/5"} {
			pages[p] = page
		}
		o := newWorld(t, pages).options(m, "http://a.test/", "http://b.test/")
		o.Rate, o.PerHost, o.Retries = float64(time.Second)/float64(gap), perHost, 1
		c, seeds, err := newCrawler(o)
		if err != nil {
			t.Fatal(err)
		}
		starts := map[string][]time.Time{}
		c.frontier.(*memoryFrontier).observe = func(it *item, at time.Time) {
			starts[it.url.Host()] = append(starts[it.url.Host()], at)
		}
		if _, err := c.run(t.Context(), seeds); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, host := range []string{"a.test", "b.test"} {
			if n := len(starts[host]); n < 8 {
				t.Errorf("%s got %d requests", host, n)
			}
			for i, at := range starts[host] {
				if i > 0 && at.Sub(starts[host][i-1]) < gap-time.Microsecond {
					t.Errorf("%s: requests %d and %d are %v apart", host, i-1, i, at.Sub(starts[host][i-1]))
				}
			}
			if peak[host] > perHost {
				t.Errorf("%d requests at once on %s", peak[host], host)
			}
		}
	})
}

func TestIsPrivate(t *testing.T) {
	for addrs, want := range map[string]bool{
		"127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.1.1 100.64.0.1 0.0.0.0 0.1.2.3 198.18.0.1 240.0.0.1 255.255.255.255 224.0.0.1": true,
		"::1 :: fc00::1 fd12::1 fe80::1 fe80::1%eth0 ff02::1 fec0::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::1":         true,
		"1.1.1.1 172.32.0.1 100.128.0.1 198.20.0.1 2606:4700::1111 ::ffff:1.1.1.1 64:ff9b::1.1.1.1":                                       false,
	} {
		for addr := range strings.FieldsSeq(addrs) {
			if got := isPrivate(netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s: private %v", addr, got)
			}
		}
	}
}

func TestControl(t *testing.T) {
	loopback := netip.MustParseAddrPort("127.0.0.1:80")
	o := Options{Seeds: []string{"http://seed.test/"}, Resolve: map[string]netip.AddrPort{"named.test:80": loopback}}
	c, _, err := newCrawler(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.client.Close()
	for _, host := range []string{"seed.test", "named.test"} {
		if err := c.control(host, loopback, false); err != nil {
			t.Error(err)
		}
	}
	if err := c.control("evil.test", netip.MustParseAddrPort("1.1.1.1:80"), false); err != nil {
		t.Error(err)
	}
	if err := c.control("evil.test", loopback, false); err == nil {
		t.Error("a link may lead to a private address")
	}
	if err := c.control("evil.test", loopback, true); err != nil {
		t.Error("the proxy may not be private:", err)
	}
}

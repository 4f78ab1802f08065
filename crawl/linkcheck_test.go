package crawl

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

// methods notes the methods of the requests for each URL.
type methods struct {
	mu   sync.Mutex
	seen map[string][]string
}

func (m *methods) note(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		m.seen[r.Host+r.URL.Path] = append(m.seen[r.Host+r.URL.Path], r.Method)
		m.mu.Unlock()
		next(w, r)
	}
}

func (m *methods) of(path string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen[path]
}

// hitsOf returns how often a path was asked for.
func (w *world) hitsOf(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hits[path]
}

// onlyGET refuses HEAD with a status.
func onlyGET(status int, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(status)
			return
		}
		next(w, r)
	}
}

func TestCheckLinks(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		seen := methods{seen: map[string][]string{}}
		pages := map[string]http.HandlerFunc{
			"a.test/": htmlPage(`<a href="two">2</a><a href="gone">Gone &amp; away</a><a href="http://b.test/ok">ok</a>` +
				`<a href="http://b.test/bad">bad</a><a href="http://b.test/get">get</a><a href="http://b.test/get501">get</a>` +
				`<a href="http://b.test/getbad">getbad</a><a href="http://b.test/hop">hop</a><a href="http://b.test/loop">loop</a>` +
				`<a href="http://b.test/busy">busy</a><a href="http://b.test/secret">x</a><a href="http://b.test/dead">dead</a>` +
				`<a href="http://b.test/no" rel=nofollow>no</a><a href="http://b.test/in">in</a><a href="/moved">m</a><a href="mailto:x">m</a>`),
			"a.test/two": htmlPage(`<a href="gone#x"></a><a href="http://b.test/bad"><img alt="a picture"></a><a href="deep">deep</a>` +
				`<a href="http://b.test/err">err</a><a href="deepgone">deep gone</a><a href="http://c.test/x">c</a><a href="http://d.test/">d</a>`),
			"a.test/deep": htmlPage(`<a href="never">never</a>`), "a.test/moved": redirect("/gone"), "a.test/joined": htmlPage(`<a href="/gone">joined</a>`),
			"b.test/ok": htmlPage("ok"), "b.test/get": onlyGET(405, htmlPage("ok")), "b.test/get501": onlyGET(501, htmlPage("ok")),
			"b.test/getbad": onlyGET(405, http.NotFound), "b.test/hop": redirect("http://b.test/bad2"), "b.test/loop": redirect("http://b.test/loop"),
			"b.test/busy": status(429), "b.test/secret": status(403), "b.test/dead": hangUp(100, htmlPage("")), "b.test/err": status(500),
			"b.test/in": redirect("http://a.test/joined"), "b.test/no": status(404),
			"c.test/robots.txt": typed("text/plain", "user-agent: *\ndisallow: /"), "d.test/robots.txt": status(500),
		}
		for path, page := range pages {
			pages[path] = seen.note(page)
		}
		w := newWorld(t, pages)
		o := w.options(m, "http://a.test/")
		o.CheckLinks, o.Depth, o.Retries = true, 1, 0
		records, report, err := crawl(t, o)
		if err != nil {
			t.Fatal(err)
		}
		const root, two, joined = "http://a.test/", "http://a.test/two", "http://a.test/joined"
		want := []BrokenLink{
			{"http://a.test/deepgone", 404, "404 Not Found", "deep gone", []string{two}},
			{"http://a.test/gone", 404, "404 Not Found", "Gone & away", []string{root, joined, two}},
			{"http://a.test/moved", 404, "404 Not Found", "m", []string{root}},
			{"http://b.test/bad", 404, "404 Not Found", "bad", []string{root, two}},
			{"http://b.test/dead", 0, "read: EOF", "dead", []string{root}},
			{"http://b.test/err", 500, "500 Internal Server Error", "err", []string{two}},
			{"http://b.test/getbad", 404, "404 Not Found", "getbad", []string{root}},
			{"http://b.test/hop", 404, "404 Not Found", "hop", []string{root}},
			{"http://b.test/loop", 302, "more than 10 redirects", "loop", []string{root}},
			{"http://d.test/", 0, "robots.txt: 500 Internal Server Error", "d", []string{two}},
		}
		for i, l := range report.BrokenLinks {
			if strings.Contains(l.Error, "EOF") {
				report.BrokenLinks[i].Error = "read: EOF"
			}
		}
		if d := cmp.Diff(want, report.BrokenLinks); d != "" {
			t.Errorf("broken links (-want +got):\n%s", d)
		}
		var got []string
		for _, r := range records {
			got = append(got, strings.TrimPrefix(r.URL, "http://"))
		}
		if d := cmp.Diff([]string{"a.test/", "a.test/gone", "a.test/moved", "a.test/two", "b.test/in"}, got); d != "" {
			t.Errorf("records of pages (-want +got):\n%s", d)
		}
		for path, want := range map[string]string{
			"a.test/two": "GET", "a.test/deep": "HEAD", "a.test/never": "", "b.test/ok": "HEAD", "b.test/get": "HEAD GET",
			"b.test/get501": "HEAD GET", "b.test/bad": "", "b.test/no": "", "c.test/x": "", "a.test/joined": "GET",
		} {
			if got := strings.Join(seen.of(path), " "); got != want {
				t.Errorf("%s was asked for by %q, want %q", path, got, want)
			}
		}
	})
}

// TestCheckLinksResume goes on with a file of notes, behind whose mark something was torn.
func TestCheckLinksResume(t *testing.T) {
	o := Options{LinkSpool: filepath.Join(t.TempDir(), "links")}
	out, err := openLinkCheck(&o, nil)
	if err != nil {
		t.Fatal(err)
	}
	note := func(p *closing) {
		write, err := out.render(p)
		if err == nil {
			err = write()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	page, gone := mustURL(t, "http://a.test/"), mustURL(t, "http://a.test/gone")
	note(&closing{item: &item{url: page}, response: &response{status: 200},
		page: &Page{Links: []Link{{Text: "x"}, {Text: "none"}}}, targets: []URL{gone, {}}})
	marks := out.marks()
	note(&closing{item: &item{url: gone}, response: &response{status: 200}})
	if err := out.(*linkCheck).file.add([]byte(`{"url":"to`)); err != nil {
		t.Fatal(err)
	}
	if err := out.(*linkCheck).file.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err = openLinkCheck(&o, marks); err != nil {
		t.Fatal(err)
	}
	note(&closing{item: &item{url: gone}, response: &response{status: 410}})
	if err := out.close(true); err != nil {
		t.Fatal(err)
	}
	want := []BrokenLink{{"http://a.test/gone", 410, "410 Gone", "x", []string{"http://a.test/"}}}
	if d := cmp.Diff(want, brokenLinks([]output{out})); d != "" {
		t.Errorf("broken links (-want +got):\n%s", d)
	}
}

func TestGraph(t *testing.T) {
	pages := map[string]http.HandlerFunc{
		"/": htmlPage(`<link rel=next href=two><a href="two">the "second", page</a><a href="two#x">again</a><img src=i.png>` +
			`<a href="http://b.test/">off</a><a href="tel:1">no page</a><a href="/moved">` + "new\nline</a>"),
		"/two": htmlPage(`<a href="/"></a>`), "/moved": redirect("two"), "/i.png": typed("image/png", "x"),
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		o := newWorld(t, pages).options(m, "http://a.test/")
		o.Graph, o.Requisites = filepath.Join(t.TempDir(), "g.csv"), true
		if _, _, err := crawl(t, o); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(o.Graph)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		if err != nil || strings.Count(string(text), "\r\n") != strings.Count(string(text), "\n") {
			t.Fatalf("%v in %q", err, text)
		}
		var got []string
		for _, row := range rows {
			got = append(got, strings.ReplaceAll(strings.Join(row, "|"), "http://a.test/", "/"))
		}
		if got[0] != "source|target|kind|text" {
			t.Errorf("the first row is %q", got[0])
		}
		slices.Sort(got)
		want := []string{`/moved|/two|redirect|`, `/two|/|a|`, `/|/i.png|image|`, `/|/moved|a|new line`, `/|/two|a|again`,
			`/|/two|a|the "second", page`, `/|/two|next|`, `/|http://b.test/|a|off`, "source|target|kind|text"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("rows (-want +got):\n%s", d)
		}
	})
}

// TestOutputErrorsEndTheRun fills the disk of each output.
func TestOutputErrorsEndTheRun(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		for name, set := range map[string]func(o *Options, dir string){
			"graph": func(o *Options, _ string) { o.Graph = "/dev/full" },
			"warc index": func(o *Options, dir string) {
				o.WARC = filepath.Join(dir, "w")
				_ = os.Symlink("/dev/full", o.WARC+".cdxj")
			},
			"links": func(o *Options, _ string) { o.CheckLinks, o.LinkSpool = true, "/dev/full" },
		} {
			var all []string
			for i := range 50 {
				all = append(all, fmt.Sprint("/", i))
			}
			w := newWorld(t, map[string]http.HandlerFunc{"/": links(all...)})
			o := w.options(m, "http://a.test/")
			set(&o, t.TempDir())
			if _, _, err := crawl(t, o); err == nil || !strings.Contains(err.Error(), "no space left") {
				t.Errorf("%s: %v", name, err)
			}
			if w.hitsOf("a.test/49") > 0 {
				t.Errorf("%s: the run went on", name)
			}
		}
	})
}

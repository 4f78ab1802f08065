package crawl

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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

// changing is a page with validators, which answers 304 where they are right. The test changes it between runs.
type changing struct {
	mu           sync.Mutex
	etag, body   string
	lastModified string
	asked        []string // the conditions of each request
}

func (p *changing) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	match, since := r.Header.Get("If-None-Match"), r.Header.Get("If-Modified-Since")
	p.asked = append(p.asked, strings.TrimSpace(match+" "+since))
	if p.etag+p.lastModified+p.body == "" {
		http.NotFound(w, r)
		return
	}
	if p.etag != "" {
		w.Header().Set("ETag", p.etag)
	}
	if p.lastModified != "" {
		w.Header().Set("Last-Modified", p.lastModified)
	}
	if match != "" && match == p.etag || match == "" && since != "" && since == p.lastModified {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte(p.body))
}

// change gives a page another body and ETag; without either it is gone.
func (p *changing) change(etag, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.etag, p.body = etag, body
}

func (p *changing) conditions() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// recordsByURL returns the records of a file by their URL; no URL has two.
func recordsByURL(t *testing.T, path string) map[string]record {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]record{}
	for line := range strings.Lines(string(text)) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if _, twice := records[r.URL]; twice {
			t.Errorf("two records of %s", r.URL)
		}
		records[r.URL] = r
	}
	return records
}

// outline returns what the records of a recrawl say in short.
func outline(records map[string]record) map[string]string {
	short := map[string]string{}
	for url, r := range records {
		text := fmt.Sprintf("%d depth %d %d bytes %d links", r.Status, r.Depth, r.Bytes, len(r.Links))
		if r.FinalURL != url {
			text += " at " + r.FinalURL
		}
		short[url] = text
	}
	return short
}

func rerun(t *testing.T, o Options) {
	t.Helper()
	o.Seeds, o.Recrawl = nil, true
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

const anHourAgo = "Mon, 23 Nov 2026 08:00:00 GMT"

func TestRecrawl(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		top := &changing{etag: `"top"`, body: `<a href="/same">x</a><a href="/moved">x</a><a href="/gone">x</a><a href="/plain">x</a>`}
		same := &changing{lastModified: anHourAgo, body: `<a href="/deep">x</a>`}
		target := &changing{etag: `W/"target"`, lastModified: anHourAgo, body: "here"}
		deep := &changing{etag: `"1"`, body: "deep"}
		gone := &changing{etag: `"gone"`, body: "soon gone"}
		w := newWorld(t, map[string]http.HandlerFunc{
			"a.test/": top.serve, "a.test/same": same.serve, "a.test/deep": deep.serve, "a.test/gone": gone.serve,
			"a.test/moved": redirect("http://b.test/target"), "b.test/target": target.serve,
			"a.test/plain": htmlPage("as ever"), "a.test/new": htmlPage("new"),
		})
		o := w.keeping(m, t.TempDir(), "http://a.test/")
		o.Scope = ScopeAny
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		first := recordsByURL(t, o.OutputFile)
		deep.change(`"2"`, `<a href="/new">x</a>`)
		gone.change("", "")
		rerun(t, o)
		second := recordsByURL(t, o.OutputFile)
		want := map[string]string{
			"http://a.test/":      "304 depth 0 0 bytes 0 links",
			"http://a.test/same":  "304 depth 1 0 bytes 0 links",
			"http://a.test/moved": "304 depth 1 0 bytes 0 links at http://b.test/target",
			"http://a.test/gone":  "404 depth 1 19 bytes 0 links",
			"http://a.test/plain": "200 depth 1 7 bytes 0 links",
			"http://a.test/deep":  "200 depth 2 20 bytes 1 links",
			"http://a.test/new":   "200 depth 3 3 bytes 0 links",
		}
		if d := cmp.Diff(want, outline(second)); d != "" {
			t.Error(d)
		}
		for url, r := range second {
			if r.Status == http.StatusNotModified && (r.SHA256 == "" || r.SHA256 != first[url].SHA256) {
				t.Errorf("%s had SHA-256 %s, and its record says %s", url, first[url].SHA256, r.SHA256)
			}
		}
		rerun(t, o) // and again: what a 304 left in the state is of use too
		for name, page := range map[string]*changing{
			`"top"`: top, anHourAgo: same, `W/"target" ` + anHourAgo: target,
		} {
			if got := page.conditions(); !slices.Equal(got, []string{"", name, name}) {
				t.Errorf("the conditions were %q, want %s", got, name)
			}
		}
		if got := deep.conditions(); !slices.Equal(got, []string{"", `"1"`, `"2"`}) {
			t.Errorf("the conditions were %q", got)
		}
		if got := recordsByURL(t, o.OutputFile); len(got) != len(want) || got["http://a.test/new"].Status != http.StatusOK {
			t.Errorf("the third crawl has %v", outline(got))
		}
	})
}

// A redirect that leads elsewhere than before takes no validator along: they are of another page.
func TestRecrawlRedirected(t *testing.T) {
	one, two := &changing{etag: `"e"`, body: "one"}, &changing{etag: `"e"`, body: "two"}
	w := newWorld(t, map[string]http.HandlerFunc{"/": redirect("/one"), "/one": one.serve, "/two": two.serve})
	o := w.keeping(limiter.Async, t.TempDir(), "http://a.test/")
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	w.set("/", redirect("/two"))
	rerun(t, o)
	r := recordsByURL(t, o.OutputFile)["http://a.test/"]
	if r.Status != http.StatusOK || r.FinalURL != "http://a.test/two" || !slices.Equal(two.conditions(), []string{""}) {
		t.Errorf("record %+v, conditions %q", r, two.conditions())
	}
}

// A page that fails keeps what was known of it.
func TestRecrawlAfterFailures(t *testing.T) {
	page := &changing{etag: `"e"`, body: "x"}
	w := newWorld(t, map[string]http.HandlerFunc{"/": page.serve})
	o := w.keeping(limiter.Async, t.TempDir(), "http://a.test/")
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	w.set("/", hangUp(1000, nil))
	failing := o
	failing.Seeds, failing.Recrawl = nil, true
	_, _ = Run(t.Context(), failing) // its only page cannot start
	w.set("/", page.serve)
	rerun(t, o)
	if r := recordsByURL(t, o.OutputFile)["http://a.test/"]; r.Status != http.StatusNotModified || r.SHA256 == "" {
		t.Errorf("record %+v", r)
	}
}

// A recrawl that is stopped goes on as what it is, with or without being asked for; so does a first crawl.
func TestRecrawlResumed(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		last := &changing{etag: `"e"`, body: "end"}
		w := newWorld(t, map[string]http.HandlerFunc{
			"a.test/": links("/1"), "a.test/1": links("/2"), "a.test/2": links("/3"), "a.test/3": last.serve,
		})
		o := w.keeping(m, t.TempDir(), "http://a.test/")
		o.Workers, o.Recrawl = 1, true // there is nothing yet: it is a first crawl
		stopAt(t, w, o, "a.test/2")
		rerun(t, o) // finishes it
		if got := last.conditions(); !slices.Equal(got, []string{""}) {
			t.Fatalf("after the first crawl: %q", got)
		}
		o.Seeds = nil
		stopAt(t, w, o, "a.test/2")
		o.Recrawl = false
		var log strings.Builder
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		records := recordsByURL(t, o.OutputFile)
		if len(records) != 4 || records["http://a.test/3"].Status != http.StatusNotModified {
			t.Errorf("%v", outline(records))
		}
		if hits := w.hitsOf("a.test/1"); hits != 2 {
			t.Errorf("a page before the stops was fetched %d times, want once a crawl", hits)
		}
	})
}

// A crash while the known pages move back into the queues loses none and makes none twice.
func TestRecrawlBegunHalf(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{"/": links("/1", "/2", "/3"), "/1": links(), "/2": links(), "/3": links()})
	o := w.keeping(limiter.Async, t.TempDir(), "http://a.test/")
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o.Seeds, o.Recrawl = nil, true
	c, _, err := newCrawler(o) // the new generation has begun, and nothing has moved
	if err != nil {
		t.Fatal(err)
	}
	f := c.frontier.(*diskFrontier)
	moved := 0
	crash := errors.New("crash")
	err = f.store.scan([]byte{keyVisit}, []byte{keyVisit + 1}, func(key, value []byte) (bool, error) {
		if moved++; moved == 3 {
			return false, crash
		}
		it, err := unpackItem(value)
		if err != nil {
			return false, err
		}
		return true, f.move(&change{found: []foundPage{{item: it}}}, slices.Clone(key))
	})
	if !errors.Is(err, crash) {
		t.Fatal(err)
	}
	c.client.Close()
	if err := c.close(false); err != nil {
		t.Fatal(err)
	}
	rerun(t, o)
	if got := recordsOf(t, o.OutputFile); len(got) != 4 {
		t.Errorf("records of %v", got)
	}
}

// Outputs that need bodies get them.
func TestRecrawlWhole(t *testing.T) {
	page := &changing{etag: `"e"`, body: `<a href="/">x</a>`}
	w := newWorld(t, map[string]http.HandlerFunc{"/": page.serve})
	o := w.keeping(limiter.Async, t.TempDir(), "http://a.test/")
	o.Graph = filepath.Join(t.TempDir(), "graph.csv")
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(o.Graph)
	if err != nil {
		t.Fatal(err)
	}
	rerun(t, o)
	after, err := os.ReadFile(o.Graph)
	if err != nil || string(after) != string(before) || len(before) == 0 {
		t.Errorf("the graph was %q, is %q, %v", before, after, err)
	}
}

// The archive of a recrawl goes on in the same files, where a 304 is a revisit of what was archived.
func TestRecrawlWARC(t *testing.T) {
	page, late := &changing{etag: `"e"`, body: "<p>page"}, &changing{etag: `"l"`, body: "late"}
	w := newWorld(t, map[string]http.HandlerFunc{"/": page.serve, "/late": late.serve})
	dir := t.TempDir()
	o := w.keeping(limiter.Async, dir, "http://a.test/", "http://a.test/late")
	o.WARC = filepath.Join(dir, "w")
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	rerun(t, o)
	var first, revisit *warcRecord
	for _, r := range readWARC(t, o.WARC+"-00000.warc.gz") {
		switch {
		case r.fields["WARC-Target-URI"] != "http://a.test/":
		case r.fields["WARC-Type"] == "response" && first == nil:
			first = &r
		case r.fields["WARC-Type"] == "revisit":
			revisit = &r
		}
	}
	if first == nil || revisit == nil {
		t.Fatal("no response and no revisit")
	}
	want := map[string]string{
		"WARC-Profile":              "http://netpreserve.org/warc/1.1/revisit/server-not-modified",
		"WARC-Refers-To-Target-URI": "http://a.test/",
		"WARC-Refers-To-Date":       first.fields["WARC-Date"],
		"WARC-Payload-Digest":       first.fields["WARC-Payload-Digest"],
	}
	for name, value := range want {
		if got := revisit.fields[name]; got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if !strings.HasPrefix(string(revisit.block), "HTTP/1.1 304 ") {
		t.Errorf("the block is %q", revisit.block)
	}
	readArchive(t, o.WARC) // gowarc's strict reader, and the index

	// What no archive has is fetched whole.
	bare := w.keeping(limiter.Async, t.TempDir(), "http://a.test/late")
	if _, err := Run(t.Context(), bare); err != nil {
		t.Fatal(err)
	}
	bare.WARC = filepath.Join(t.TempDir(), "w")
	rerun(t, bare)
	if r := recordsByURL(t, bare.OutputFile)["http://a.test/late"]; r.Status != http.StatusOK {
		t.Errorf("record %+v", r)
	}
}

// A state of an earlier format says what to do.
func TestOlderState(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(`{"format":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Run(t.Context(), Options{State: dir})
	if err == nil || !strings.Contains(err.Error(), "earlier version") {
		t.Errorf("the error is %v", err)
	}
}

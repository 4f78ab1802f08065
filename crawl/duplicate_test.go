package crawl

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

// duplicatesOf returns which records are marked, and as whose duplicates.
func duplicatesOf(t *testing.T, o Options) map[string]string {
	t.Helper()
	marked := map[string]string{}
	for url, r := range recordsByURL(t, o.OutputFile) {
		if r.DuplicateOf != "" {
			marked[url] = r.DuplicateOf
		}
	}
	return marked
}

// A crawl that goes on compares with the pages of its earlier runs, and a recrawl with those that have not changed.
func TestDuplicatesOverRuns(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		one, three := &changing{etag: `"1"`, body: "the same"}, &changing{etag: `"3"`, body: "the same"}
		w := newWorld(t, map[string]http.HandlerFunc{
			"a.test/": links("/1", "/2", "/3", "/empty1", "/empty2"), "a.test/1": one.serve, "a.test/2": htmlPage("stop"),
			"a.test/3": three.serve, "a.test/empty1": htmlPage(""), "a.test/empty2": htmlPage(""),
		})
		o := w.keeping(m, t.TempDir(), "http://a.test/")
		o.Workers = 1
		stopAt(t, w, o, "a.test/2")
		o.Seeds = nil
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"http://a.test/3": "http://a.test/1"}
		if d := cmp.Diff(want, duplicatesOf(t, o)); d != "" {
			t.Errorf("after a resume (-want +got):\n%s", d)
		}

		w.set("a.test/", links("/1", "/2", "/3", "/4"))
		w.set("a.test/4", htmlPage("the same"))
		rerun(t, o)
		want["http://a.test/4"] = "http://a.test/1"
		if d := cmp.Diff(want, duplicatesOf(t, o)); d != "" {
			t.Errorf("after a recrawl (-want +got):\n%s", d)
		}

		one.change(`"new"`, "another")
		rerun(t, o)
		want = map[string]string{"http://a.test/4": "http://a.test/3"}
		if d := cmp.Diff(want, duplicatesOf(t, o)); d != "" {
			t.Errorf("after the first has changed (-want +got):\n%s", d)
		}
	})
}

// Of n pages with one body n-1 are marked, however often the crawl is stopped, and memory keeps none that counts.
func TestDuplicatesOfOneBody(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{
			"/": links("/1", "/2", "/3", "/4", "/5", "/6"), "/1": htmlPage("x"), "/2": htmlPage("x"), "/3": htmlPage("x"),
			"/4": htmlPage("x"), "/5": htmlPage("x"), "/6": htmlPage("x"),
		})
		o := w.keeping(m, t.TempDir(), "http://a.test/")
		o.Workers = 1 // else a page may be there before the run is stopped at one before it
		for _, page := range []string{"/3", "/5"} {
			stopAt(t, w, o, page)
		}
		c, seeds, err := newCrawler(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.run(t.Context(), seeds); err != nil {
			t.Fatal(err)
		}
		if got := duplicatesOf(t, o); len(got) != 5 {
			t.Errorf("marked are %v, want five", got)
		}
		if len(c.bodies.first) > 0 {
			t.Errorf("memory keeps %v", c.bodies.first)
		}
	})
}

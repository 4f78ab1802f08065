package crawl

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"pace/limiter"
)

// A recrawl with another depth sees all links again, and the next one like it asks on a condition again.
func TestRecrawlGoesDeeper(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		top, one := &changing{etag: `"t"`, body: `<a href="/1">x</a>`}, &changing{etag: `"1"`, body: `<a href="/2">x</a>`}
		w := newWorld(t, map[string]http.HandlerFunc{"/": top.serve, "/1": one.serve, "/2": links("/3"), "/3": links()})
		o := w.keeping(m, t.TempDir(), "http://a.test/")
		o.Depth = 1
		pages := func(what string, want string, conditions ...string) {
			t.Helper()
			got := strings.ReplaceAll(strings.Join(recordsOf(t, o.OutputFile), " "), "http://a.test", "")
			if got != want {
				t.Errorf("%s: records of %s, want %s", what, got, want)
			}
			if got := one.conditions(); !slices.Equal(got, conditions) {
				t.Errorf("%s: the conditions were %q, want %q", what, got, conditions)
			}
		}
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		pages("the first crawl", "/ /1", "")
		rerun(t, o)
		pages("a recrawl as deep", "/ /1", "", `"1"`)
		o.Depth = 2
		again := o
		again.Seeds, again.Recrawl, again.Workers = nil, true, 1
		stopAt(t, w, again, "/1") // it goes on as it began; what was asked for there was not by this handler
		again.Recrawl = false
		if _, err := Run(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		pages("a deeper one", "/ /1 /2", "", `"1"`, "")
		rerun(t, o)
		pages("another as deep", "/ /1 /2", "", `"1"`, "", `"1"`)
		again.Depth = 3
		if _, err := Run(t.Context(), again); err != nil { // it has nothing to do, but its links would not be the same
			t.Fatal(err)
		}
		rerun(t, o)
		pages("one after runs that differ", "/ /1 /2", "", `"1"`, "", `"1"`, "")
	})
}

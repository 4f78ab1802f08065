package crawl

import (
	"net/http"
	"slices"
	"testing"

	"pace/limiter"
)

// TestBudgetOutlivesTheRun gives a crawl that has had all its pages of a host another seed on it.
func TestBudgetOutlivesTheRun(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{"a.test/": links("/1", "/2", "/3", "/4"), "b.test/": links()})
		o := w.keeping(m, t.TempDir(), "http://a.test/")
		o.MaxPagesPerHost = 3
		want := []string{"http://a.test/", "http://a.test/1", "http://a.test/2"}
		for _, next := range []string{"http://a.test/5", "http://b.test/"} {
			if _, err := Run(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if got := recordsOf(t, o.OutputFile); !slices.Equal(got, want) {
				t.Errorf("records of %v", got)
			}
			o.Seeds = append(o.Seeds, next)
		}
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if got := recordsOf(t, o.OutputFile); !slices.Equal(got, append(want, "http://b.test/")) {
			t.Errorf("records of %v", got)
		}
	})
}

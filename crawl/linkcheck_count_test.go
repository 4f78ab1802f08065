package crawl

import (
	"net/http"
	"path/filepath"
	"testing"

	"pace/limiter"
	"pace/limiter/progress"
)

// Items are pages; what is only checked is counted apart, in memory and over the runs of a state.
func TestChecksAreNoItems(t *testing.T) {
	pages := map[string]http.HandlerFunc{
		"a.test/": links("/1", "/2", "http://b.test/ok", "http://b.test/gone", "http://b.test/in", "http://c.test/no", "http://10.0.0.1/"),
		// The page that is asked for when the first run stops, and what is found past the depth.
		"a.test/1": links("/deep"), "a.test/2": links("/deep", "/deeper", "http://b.test/busy"), "a.test/deep": links(), "a.test/3": links(),
		"b.test/ok": links(), "b.test/in": redirect("http://a.test/3"), "b.test/busy": status(429),
		"c.test/robots.txt": typed("text/plain", "user-agent: *\ndisallow: /"),
	}
	type counts struct{ items, failed, skipped, checked, linksFailed, broken, total int64 }
	run := func(t *testing.T, o Options) counts {
		t.Helper()
		o.Progress = progress.New()
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return counts{r.Items, r.ItemsFailed, r.ItemsSkipped, r.LinksChecked, r.LinksFailed, int64(len(r.BrokenLinks)),
			o.Progress.Snapshot().ItemsTotal}
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, pages)
		o := w.options(m, "http://a.test/")
		o.CheckLinks, o.Depth, o.Retries, o.OutputFile = true, 1, 0, filepath.Join(t.TempDir(), "pages")
		// Of the pages /, /1, /2 and, by the redirect, /3; ok, gone, busy, deep and deeper are checked.
		want := counts{items: 4, skipped: 1, checked: 5, linksFailed: 3, broken: 2, total: 5}
		if got := run(t, o); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if n := len(recordsOf(t, o.OutputFile)); int64(n) != want.items {
			t.Errorf("%d records of %d items", n, want.items)
		}

		o.State = filepath.Join(t.TempDir(), "state")
		o.Workers = 1
		stopAt(t, w, o, "a.test/2")
		o.Seeds = nil
		first := counts{items: 2} // at most: the order among hosts is open
		got := run(t, o)
		if got.items < want.items-first.items || got.items > want.items || got.broken != want.broken || got.failed != 0 ||
			got.checked > want.checked || got.total != got.items+got.skipped {
			t.Errorf("after a resume: %+v", got)
		}
		if n := len(recordsOf(t, o.OutputFile)); int64(n) != want.items {
			t.Errorf("%d records of %d items", n, want.items)
		}
	})
}

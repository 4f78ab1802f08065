package crawl

import (
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"pace/limiter"
)

// Who adds an output to a crawl that has begun is told what it will lack, and not where it lacks nothing.
func TestOutputsAddedOnAResume(t *testing.T) {
	dir := t.TempDir()
	all := func(o *Options) {
		o.WARC, o.Mirror, o.Graph, o.CheckLinks = filepath.Join(dir, "w"), filepath.Join(dir, "m"), filepath.Join(dir, "g"), true
	}
	for _, c := range []struct {
		name   string
		stop   string // the page at which the first run stops; empty for its end
		first  func(o *Options)
		second func(o *Options)
		want   string
	}{
		{"a graph", "/2", nil, func(o *Options) { o.Graph = filepath.Join(dir, "g") }, "--graph will lack the pages that earlier runs fetched"},
		{"all", "/2", nil, all, "--warc, --mirror, --graph, --check-links will lack"},
		{"another archive", "/2", all, func(o *Options) { all(o); o.WARC += "2" }, "--warc will lack"},
		{"with other options", "/2", nil, func(o *Options) { o.Graph = filepath.Join(dir, "g"); o.Settings = map[string]string{"graph": "g"} },
			"the state was made with other options: graph is g, was not given; --graph will lack"},
		{"nothing new", "/2", all, all, ""},
		{"nothing was fetched", "/", nil, all, ""},
		{"a recrawl fetches all", "", nil, func(o *Options) { all(o); o.Recrawl = true }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir = t.TempDir()
			w := newWorld(t, map[string]http.HandlerFunc{"/": links("/1"), "/1": links("/2"), "/2": links()})
			o := w.keeping(limiter.Async, dir, "http://a.test/")
			first := o
			if c.first != nil {
				c.first(&first)
			}
			if c.stop != "" {
				stopAt(t, w, first, c.stop)
			} else if _, err := Run(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			o.Seeds, o.Log = nil, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			c.second(&o)
			if _, err := Run(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if got := log.String(); (c.want == "") != (got == "") || !strings.Contains(got, c.want) || strings.Count(got, "\n") > 1 {
				t.Errorf("the log is %q, want one line with %q", got, c.want)
			}
		})
	}
}

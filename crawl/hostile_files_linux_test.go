package crawl

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"pace/limiter"
)

// namedFiles returns what the process has open of a folder, or of files without a name.
func namedFiles(t *testing.T) map[string]bool {
	t.Helper()
	open := map[string]bool{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && filepath.IsAbs(to) {
			open[e.Name()+" "+to] = true
		}
	}
	return open
}

// TestNoFileStaysOpen ends crawls in many ways, at their beginning and later, and looks for what they left open.
func TestNoFileStaysOpen(t *testing.T) {
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		before := namedFiles(t)
		for name, set := range map[string]func(o *Options, dir string){
			"done":          func(*Options, string) {},
			"no state":      func(o *Options, _ string) { o.State = "" },
			"archive there": func(o *Options, dir string) { o.WARC = filepath.Join(dir, "there") },
			"no folder":     func(o *Options, dir string) { o.Graph = filepath.Join(dir, "no", "graph") },
			"no links":      func(o *Options, dir string) { o.LinkSpool = filepath.Join(dir, "no", "links") },
			"a bad mirror":  func(o *Options, dir string) { o.Mirror = filepath.Join(dir, "there-00000.warc.gz") },
			"a bad seed":    func(o *Options, _ string) { o.Seeds = []string{"no seed://"} },
			"a bad jar":     func(o *Options, dir string) { o.CookieJar = dir },
			"stopped":       nil,
		} {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "there-00000.warc.gz"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			o := Options{
				Mode: m, Seeds: []string{"http://" + closedPort().String() + "/"}, IgnoreRobots: true, CheckLinks: true,
				State: filepath.Join(dir, "state"), OutputFile: filepath.Join(dir, "pages"), WARC: filepath.Join(dir, "warc"),
				Mirror: filepath.Join(dir, "mirror"), Graph: filepath.Join(dir, "graph"), CookieJar: filepath.Join(dir, "jar"),
			}
			ctx := t.Context()
			if set == nil {
				ctx = stopped
			} else {
				set(&o, dir)
			}
			if _, err := Run(ctx, o); err == nil {
				t.Errorf("%s: no error", name) // its only page cannot be reached
			} else if set == nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			for file := range namedFiles(t) {
				if !before[file] {
					t.Errorf("%s: %s is still open", name, file)
				}
			}
		}
	})
}

package copy

import (
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/fleet"
	"pace/limiter/redistest"
)

// inFleet returns the options of a worker of a job.
func inFleet(t testing.TB, url string, o Options) Options {
	t.Helper()
	o.Fleet = &fleet.Options{
		URL: url, Job: strings.NewReplacer("/", ".", "#", "").Replace(t.Name()), Lease: 2 * time.Second,
		Settings: map[string]string{"sources": strings.Join(o.Sources, "\n"), "destination": o.Dest},
	}
	if o.ChunkSize == 0 {
		o.ChunkSize = 64 * kib
	}
	return o
}

var linkText = regexp.MustCompile(` link of \S+`)

// unlinked returns what is said of a tree as if no file had a second name: a fleet copies each.
func unlinked(tree map[string]string) map[string]string {
	for rel, text := range tree {
		tree[rel] = linkText.ReplaceAllString(text, "")
	}
	return tree
}

// together runs workers of one job side by side, and returns what they have done in all.
func together(t testing.TB, n int, o Options) Report {
	t.Helper()
	reports := make([]Report, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { reports[i], errs[i] = Run(t.Context(), o) })
	}
	wg.Wait()
	var all Report
	for i, r := range reports {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		all.Items += r.Items
		all.Bytes += r.Bytes
		all.ItemsFailed += r.ItemsFailed
		all.ItemsSkipped += r.ItemsSkipped
		all.Errors = append(all.Errors, r.Errors...)
	}
	if all.ItemsFailed > 0 {
		t.Fatalf("failed: %v", all.Errors)
	}
	return all
}

func TestFleetCopiesALargeFile(t *testing.T) {
	url := redistest.Start(t).URL
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		data := random(5*mib + 12345)
		src := write(t, filepath.Join(from, "src"), data)
		got := together(t, 3, inFleet(t, url, Options{Sources: []string{src}, Dest: filepath.Join(to, "dst"), Mode: m, Verify: true}))
		same(t, filepath.Join(to, "dst"), data)
		holds(t, to, "dst")
		if got.Items != 1 || got.Bytes != int64(len(data)) {
			t.Errorf("got %d items and %d bytes", got.Items, got.Bytes)
		}
		alike(t, lookAt(t, filepath.Join(to, "dst"), false), lookAt(t, src, false))
	})
}

func TestFleetCopiesATree(t *testing.T) {
	url := redistest.Start(t).URL
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src, dst := filepath.Join(from, "src"), filepath.Join(to, "dst")
		zoo(t, src)
		together(t, 3, inFleet(t, url, Options{Sources: []string{src}, Dest: dst, Mode: m, Archive: true}))
		alike(t, unlinked(lookAt(t, dst, true)), unlinked(lookAt(t, src, true)))
		holds(t, to, "dst")
	})
}

//go:build unix

package crawl

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pace/limiter"
)

// What a kill at any moment would leave in the folder of temporary files: nothing.
func TestScratchFilesHaveNoName(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		var mu sync.Mutex
		var left []string
		w := newWorld(t, map[string]http.HandlerFunc{"/": links("/gone"), "/gone": func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			left, _ = filepath.Glob(filepath.Join(dir, "*"))
			mu.Unlock()
			http.NotFound(w, r)
		}})
		o := w.options(m, "http://a.test/")
		o.CheckLinks = true
		_, report, err := crawl(t, o)
		if err != nil || len(report.BrokenLinks) != 1 {
			t.Errorf("broken links %v: %v", report.BrokenLinks, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(left) > 0 {
			t.Errorf("while the crawl ran there were %v", left)
		}
	})
}

// Sorting in several parts leaves nothing either, though a part cannot be opened again by a name.
func TestSortingInUnnamedParts(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f, err := openScratch("x-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closeScratch(f) }()
	if _, err := os.Stat(f.Name()); !os.IsNotExist(err) {
		t.Errorf("%s: %v", f.Name(), err)
	}
	path := filepath.Join(t.TempDir(), "lines")
	lines := strings.SplitAfter(strings.Repeat("c\nb\na\n", 50), "\n")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sortLinesIn(path, 10); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	if got := readText(path); got != strings.Join(lines, "") {
		t.Errorf("sorted: %q", got)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

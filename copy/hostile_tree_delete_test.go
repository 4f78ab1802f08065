package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"pace/limiter"
)

// plant makes files, each with its name as data, and the folders above them; a name that ends with a slash is a folder.
func plant(t testing.TB, root string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(root, name)
		dir := filepath.Dir(path)
		if name[len(name)-1] == '/' {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir != path {
			write(t, path, []byte(name))
		}
	}
}

// names returns all paths below root, sorted.
func names(t testing.TB, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		if rel != "." {
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func wantNames(t testing.TB, root string, want ...string) {
	t.Helper()
	if got := names(t, root); !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", root, got, want)
	}
}

// What is left out of the copy stays at any depth, with the folders that it is in.
func TestDeleteKeepsExcluded(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		plant(t, from, "1")
		plant(t, to, "old/sub/x.keep", "old/z", "old/sub/deeper/y", "gone/1", "empty/", "a.keep")
		filter, err := NewFilter([]Rule{{Pattern: "*.keep"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, dry := range []bool{true, false} {
			var removed []string
			r := mustRun(t, Options{
				Sources: []string{from + "/."}, Dest: to, Recursive: true, Mode: m, Delete: true, Filter: filter, DryRun: dry,
				Removed: func(dst string) { removed = append(removed, dst[len(to)+1:]) },
			})
			slices.Sort(removed)
			if want := []string{"empty", "gone", "gone/1", "old/sub/deeper", "old/sub/deeper/y", "old/z"}; !slices.Equal(removed, want) {
				t.Errorf("removed %q, want %q", removed, want)
			}
			if r.ItemsFailed > 0 {
				t.Error(r.Errors)
			}
		}
		wantNames(t, to, "1", "a.keep", "old", "old/sub", "old/sub/x.keep")
	})
}

// MaxDelete counts files and folders, wherever they are, and the run tells once that it was reached.
func TestMaxDeleteIsExact(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for limit := 1; limit <= 9; limit++ {
			from, to := dirs(t)
			plant(t, from, "1", "d/2", "e/3")
			plant(t, to, "old/a", "old/b", "d/old/c", "e/old/d", "old2") // 8 with the folders
			var told atomic.Int64
			r, err := Run(context.Background(), Options{
				Sources: []string{from + "/."}, Dest: to, Recursive: true, Mode: m, Delete: true, MaxDelete: int64(limit),
				Removed: func(string) { told.Add(1) },
			})
			if err != nil {
				t.Fatal(err)
			}
			left, failed := 8-min(limit, 8), 0
			if left > 0 {
				failed = 1
			}
			if got := len(names(t, to)) - 5; got != left || int(told.Load()) != 8-left || int(r.ItemsFailed) != failed {
				t.Errorf("limit %d: %d left, %d told, %d failed", limit, got, told.Load(), r.ItemsFailed)
			}
		}
	})
}

// Where --delete would remove what another source has brought, or the source itself, nothing is done.
func TestDeleteRefused(t *testing.T) {
	for what, sources := range map[string]func(from, to string) []string{
		"contents of two":    func(from, _ string) []string { return []string{from + "/a/.", from + "/b/."} },
		"contents and one":   func(from, _ string) []string { return []string{from + "/a", from + "/b/."} },
		"source in dst":      func(_, to string) []string { return []string{to + "/src/."} },
		"source deep in dst": func(_, to string) []string { return []string{to + "/src/sub/."} },
		"empty":              func(from, _ string) []string { return []string{from + "/empty/."} },
	} {
		t.Run(what, func(t *testing.T) {
			from, to := dirs(t)
			plant(t, from, "a/1", "b/2", "empty/")
			plant(t, to, "src/sub/3", "old")
			before := names(t, to)
			_, err := Run(context.Background(), Options{Sources: sources(from, to), Dest: to, Recursive: true, Delete: true})
			var usage *UsageError
			if !errors.As(err, &usage) {
				t.Errorf("got %v", err)
			}
			wantNames(t, to, before...)
		})
	}
}

// A folder whose extra entries cannot all be removed gets its times all the same, and each that stays is named.
func TestDeleteGoesOn(t *testing.T) {
	from, to := dirs(t)
	plant(t, from, "d/1")
	for i := range 10 {
		plant(t, to, fmt.Sprintf("d/old%d", i))
	}
	r, err := Run(context.Background(), Options{
		Sources: []string{from + "/."}, Dest: to, Archive: true, Delete: true, MaxDelete: 3,
	})
	if err != nil || r.ItemsFailed != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	want, err1 := os.Lstat(filepath.Join(from, "d"))
	got, err2 := os.Lstat(filepath.Join(to, "d"))
	if err := errors.Join(err1, err2); err != nil || !got.ModTime().Equal(want.ModTime()) {
		t.Errorf("%v: the time is %v, want %v", err, got.ModTime(), want.ModTime())
	}
}

//go:build unix

package copy

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestHeldFolders(t *testing.T) {
	top := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(top, "a", "b"), 0o700))
	must(t, os.MkdirAll(filepath.Join(top, "elsewhere", "b"), 0o700))
	root, err := openDir(top)
	must(t, err)
	defer func() { _ = root.close() }()
	var held heldFolders
	look := func(rel string) (meta, error) {
		d, err := held.open(root, rel)
		if err != nil {
			return meta{}, err
		}
		defer func() { _ = d.close() }()
		return d.meta()
	}
	was, err := look("a/b")
	must(t, err)

	first, second := held.hold(root, "a/b"), held.hold(root, "a/b")
	none := held.hold(root, "missing")
	rename(t, filepath.Join(top, "a"), filepath.Join(top, "moved"))
	must(t, os.Symlink("elsewhere", filepath.Join(top, "a")))
	first()
	none()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			defer held.hold(root, "a/b")()
			if m, err := look("a/b"); err != nil || !sameFile(m, was) {
				t.Errorf("a held folder is another one: %v", err)
			}
		})
	}
	wg.Wait()
	second()
	if len(held.all) > 0 {
		t.Errorf("%d folders are open", len(held.all))
	}
	if _, err := look("a/b"); err == nil {
		t.Error("a symlink was followed")
	}
}

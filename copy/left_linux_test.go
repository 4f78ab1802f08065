package copy

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pace/limiter"
)

// After another boot, files that an earlier run has left are compared: those that are whole stay, with their metadata set
// once more, and those whose bytes are lost are copied again.
func TestLeftByAnotherBoot(t *testing.T) {
	real := readBootID
	defer func() { readBootID = real }()
	const files, size = 60, 10_000
	inModes(t, func(t *testing.T, m limiter.Mode) {
		readBootID = func() string { return "first" }
		from, to := dirs(t)
		src := filepath.Join(from, "src")
		for i := range files {
			plant(t, src, fmt.Sprintf("d%d/", i%3))
			write(t, filepath.Join(src, fmt.Sprintf("d%d/%d", i%3, i)), random(size+i))
		}
		o := Options{Sources: []string{src}, Dest: filepath.Join(to, "dst"), Archive: true, Mode: m, ChunkSize: 256 * kib, Workers: 1}
		stoppedAt(t, o, 45)
		left, lost := 0, 0
		err := filepath.WalkDir(filepath.Join(to, ".dst.pace-part"), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if err != nil || info.Size() < size || !info.ModTime().Equal(modTimeOf(t, path, to, src)) {
				return err
			}
			if left++; left%3 == 0 {
				lost++
				if err := os.WriteFile(path, make([]byte, info.Size()), 0o600); err != nil {
					return err
				}
			}
			if err := os.Chmod(path, 0o604); err != nil {
				return err
			}
			return os.Chtimes(path, info.ModTime(), info.ModTime())
		})
		if err != nil || lost == 0 {
			t.Fatalf("%d of %d files that are left are lost, %v", lost, left, err)
		}
		readBootID = func() string { return "second" }
		o.Mode = (m + 1) % 3
		r := mustRun(t, o)
		if most := int64(files-left+lost) * (size + files); r.Bytes > most {
			t.Errorf("%d bytes were copied, want at most %d: %d of %d files were there", r.Bytes, most, left-lost, files)
		}
		alike(t, lookAt(t, o.Dest, true), lookAt(t, src, true))
		holds(t, to, "dst")
	})
}

// modTimeOf returns the time of the source of path, which is in the part directory of a tree.
func modTimeOf(t *testing.T, path, to, src string) time.Time {
	t.Helper()
	rel, err := filepath.Rel(filepath.Join(to, ".dst.pace-part"), path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(src, rel))
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}

package crawl

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// forget drops what the kernel has of the files in a folder (posix_fadvise(2)), which it does with what is on the device.
func forget(tb testing.TB, dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, entry := range entries {
		f, err := os.OpenFile(filepath.Join(dir, entry.Name()), os.O_RDWR, 0)
		if err != nil {
			tb.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			tb.Fatal(err)
		}
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			tb.Fatal(err)
		}
		if err := f.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return true
}

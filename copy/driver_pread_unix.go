//go:build unix

package copy

import (
	"os"

	"golang.org/x/sys/unix"
)

func pread(f *os.File, p []byte, off int64) (int, error) {
	n, err := unix.Pread(int(f.Fd()), p, off)
	return max(n, 0), err
}

func pwrite(f *os.File, p []byte, off int64) (int, error) {
	n, err := unix.Pwrite(int(f.Fd()), p, off)
	return max(n, 0), err
}

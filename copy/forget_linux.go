package copy

import (
	"os"

	"golang.org/x/sys/unix"
)

// forget drops the pages of f from memory, if nobody else holds them (posix_fadvise(2)).
func forget(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// punch makes a hole of e (fallocate(2)).
func punch(f *os.File, e extent) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, e.off, e.end-e.off)
}

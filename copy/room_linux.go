package copy

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// freeSpace returns how many bytes this user can still write to the file system of f, if it says.
func freeSpace(f *os.File) (int64, bool) {
	var st unix.Statfs_t
	// Without blocks a file system has no size, as FUSE ones that do not tell.
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil || st.Blocks == 0 {
		return 0, false
	}
	blocks := st.Bavail
	if os.Geteuid() == 0 {
		blocks = st.Bfree // root may use what is held back
	}
	return int64(min(blocks, math.MaxInt64/uint64(st.Frsize))) * int64(st.Frsize), true
}

// preallocate takes the space for e, if the file system can do that without writing it (fallocate(2), mode 0).
func preallocate(f *os.File, e extent) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, e.off, e.end-e.off)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, errors.ErrUnsupported):
			return nil
		default:
			return err
		}
	}
}

func outOfSpace(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

//go:build unix && !linux

package copy

import (
	"errors"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const oPath = 0

// renameIn renames within the directory at. With keep set it fails if there is an entry of the new name.
func renameIn(at int, from, to string, keep bool) error {
	if keep {
		return renameChecked(at, from, to)
	}
	return unix.Renameat(at, from, at, to)
}

// createNameless is not to be had here: files grow in part files.
func (d *dir) createNameless(uint32) (*os.File, error) { return nil, errors.ErrUnsupported }

func (d *dir) nameFile(*os.File, string) error { return errors.ErrUnsupported }

// setTimes sets the times of an open file, to the microsecond.
func setTimes(f *os.File, m meta) error {
	return unix.Futimes(int(f.Fd()), []unix.Timeval{
		unix.NsecToTimeval(nanoseconds(m.atime)), unix.NsecToTimeval(nanoseconds(m.mtime)),
	})
}

// nanoseconds is t as a file system stores it, cut to what 64 bits hold: years 1678 to 2261.
func nanoseconds(t time.Time) int64 {
	const most = math.MaxInt64 / int64(time.Second)
	switch s := t.Unix(); {
	case s >= most:
		return most * int64(time.Second)
	case s <= -most:
		return -most * int64(time.Second)
	}
	return t.UnixNano()
}

// mknod cannot be had from all of these systems in one way.
func (d *dir) mknod(string, meta) error { return errors.ErrUnsupported }

// pathOf is a path that leads to an entry of d, for calls that know no descriptors.
func (d *dir) pathOf(name string) string { return d.f.Name() + "/" + name }

func chmodAt(at int, name string, perm uint32) error {
	return unix.Fchmodat(at, name, perm, unix.AT_SYMLINK_NOFOLLOW)
}

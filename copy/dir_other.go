//go:build unix && !linux

package copy

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const oPath = 0

// renameIn renames within the directory at. With keep set it fails if there is an entry of the new name, unless one
// appears in between.
func renameIn(at int, from, to string, keep bool) error {
	var st unix.Stat_t
	if keep && unix.Fstatat(at, to, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
		return unix.EEXIST
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

// mknod cannot be had from all of these systems in one way.
func (d *dir) mknod(string, meta) error { return errors.ErrUnsupported }

// pathOf is a path that leads to an entry of d, for calls that know no descriptors.
func (d *dir) pathOf(name string) string { return d.f.Name() + "/" + name }

func chmodAt(at int, name string, perm uint32) error {
	return unix.Fchmodat(at, name, perm, unix.AT_SYMLINK_NOFOLLOW)
}

package copy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// oPath opens a directory only to find things in it.
const oPath = unix.O_PATH

// renameIn renames within the directory at. With keep set it fails if there is an entry of the new name.
func renameIn(at int, from, to string, keep bool) error {
	if !keep {
		return unix.Renameat(at, from, at, to)
	}
	err := unix.Renameat2(at, from, at, to, unix.RENAME_NOREPLACE)
	// Not every file system can tell (renameat2(2)).
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return renameChecked(at, from, to)
	}
	return err
}

// createNameless makes a file without a name, which goes when it is closed unless [dir.name] gives it one.
func (d *dir) createNameless(perm uint32) (*os.File, error) {
	fd, err := openat(d.fd(), ".", unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, perm)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "."), nil
}

// name gives a file of createNameless its name, which must be free.
func (d *dir) nameFile(f *os.File, name string) error {
	return unix.Linkat(unix.AT_FDCWD, fdPath(f), d.fd(), name, unix.AT_SYMLINK_FOLLOW)
}

// fdPath is a path that leads to an open file.
func fdPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// setTimes sets the times of an open file.
func setTimes(f *os.File, m meta) error {
	err := unix.UtimesNanoAt(int(f.Fd()), "", timespecs(m), unix.AT_EMPTY_PATH) // Linux 5.8
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		err = unix.UtimesNanoAt(unix.AT_FDCWD, fdPath(f), timespecs(m), 0)
	}
	return err
}

// mknod makes the fifo, socket or device that m is.
func (d *dir) mknod(name string, m meta) error {
	kind, dev := nodeOf(m.mode)
	if !dev {
		return unix.Mknodat(d.fd(), name, kind|0o600, 0)
	}
	return unix.Mknodat(d.fd(), name, kind|0o600, int(m.rdev))
}

// pathOf is a path that leads to an entry of d itself, for calls that know no descriptors.
func (d *dir) pathOf(name string) string { return fdPath(d.f) + "/" + name }

// chmodAt goes by a descriptor, because only Linux 6.6 has a call that does not follow.
func chmodAt(at int, name string, perm uint32) error {
	fd, err := openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	defer func() { _ = f.Close() }()
	m, err := statFile(f)
	if err == nil && m.mode&fs.ModeSymlink != 0 {
		return unix.ELOOP
	}
	if err == nil {
		err = unix.Chmod(fdPath(f), perm)
	}
	return err
}

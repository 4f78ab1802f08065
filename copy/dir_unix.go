//go:build unix

package copy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// dir is an open directory. Everything in a tree is reached by the descriptor of its directory and one name, never
// followed: no symlink that someone puts in the way can lead out of the tree.
type dir struct{ f *os.File }

// openDir opens the directory at path, to make entries in it. Links in path are followed.
func openDir(path string) (*dir, error) { return openDirAt(unix.AT_FDCWD, path, path, 0) }

// openDirItself opens the directory at path, which must not be a symlink.
func openDirItself(path string) (*dir, error) {
	return openDirAt(unix.AT_FDCWD, path, path, unix.O_NOFOLLOW)
}

func openDirAt(at int, name, shown string, flags int) (*dir, error) {
	const mode = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err := openat(at, name, mode|flags, 0)
	if errors.Is(err, unix.EACCES) && oPath != 0 {
		// A directory that may not be listed can still take entries.
		fd, err = openat(at, name, mode|oPath|flags, 0)
	}
	if err != nil {
		return nil, err
	}
	return &dir{os.NewFile(uintptr(fd), shown)}, nil
}

func openat(at int, name string, flags int, perm uint32) (int, error) {
	for {
		fd, err := unix.Openat(at, name, flags, perm)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// openParent opens the directory of path, and returns with it the name that path has there.
func openParent(path string) (place, error) {
	// filepath.Dir would take "link/.." for "." before the link is followed.
	folder, name := filepath.Split(path)
	if folder == "" {
		folder = "."
	}
	d, err := openDir(folder)
	return place{dir: d, name: name, shown: path}, err
}

func (d *dir) fd() int      { return int(d.f.Fd()) }
func (d *dir) close() error { return d.f.Close() }

// sync brings the names in d to the device.
func (d *dir) sync(shown string) error {
	if err := d.f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("cannot sync the directory of %s: %w", shown, because(err))
	}
	return nil
}

func (d *dir) meta() (meta, error) { return statFile(d.f) }

// sub opens the directory name, which must not be a symlink.
func (d *dir) sub(name string) (*dir, error) {
	return openDirAt(d.fd(), name, d.f.Name()+"/"+name, unix.O_NOFOLLOW)
}

func (d *dir) mkdir(name string) error { return unix.Mkdirat(d.fd(), name, 0o700) }

// open opens the file name for reading. It does not wait for a writer, if there is a fifo now where a file was listed.
func (d *dir) open(name string) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NOCTTY
	fd, err := openat(d.fd(), name, flags|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	// A ring does not wait for the disk where the flag is set, but says that it would have to.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_RDONLY); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// create makes the file name, which must not exist.
func (d *dir) create(name string, perm uint32) (*os.File, error) {
	return d.openFile(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, perm)
}

// openFile opens a file as open(2) does. A symlink is not followed.
func (d *dir) openFile(name string, flags int, perm uint32) (*os.File, error) {
	fd, err := openat(d.fd(), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY, perm)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (d *dir) lstat(name string) (meta, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return meta{}, err
	}
	return metaOf(&st), nil
}

func (d *dir) remove(name string) error { return unix.Unlinkat(d.fd(), name, 0) }
func (d *dir) rmdir(name string) error  { return unix.Unlinkat(d.fd(), name, unix.AT_REMOVEDIR) }

func (d *dir) symlink(to, name string) error { return unix.Symlinkat(to, d.fd(), name) }

func (d *dir) readlink(name string) (string, error) {
	for buf := make([]byte, 256); ; buf = make([]byte, 2*len(buf)) {
		n, err := unix.Readlinkat(d.fd(), name, buf)
		if err != nil {
			return "", err
		}
		if n < len(buf) {
			return string(buf[:n]), nil
		}
	}
}

// link makes name another name of the file from.
func (d *dir) link(from place, name string) error {
	return unix.Linkat(from.dir.fd(), from.name, d.fd(), name, 0)
}

// rename gives an entry another name in the same directory. With keep set it fails if that name is taken, as far as
// the file system can tell.
func (d *dir) rename(from, to string, keep bool) error { return renameIn(d.fd(), from, to, keep) }

// renameChecked is renameIn with keep set where the system cannot do it: a file that appears in between is lost.
func renameChecked(at int, from, to string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(at, to, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil {
		return unix.EEXIST
	}
	return unix.Renameat(at, from, at, to)
}

// times sets the times of name itself, not of what it leads to.
func (d *dir) times(name string, m meta) error {
	return unix.UtimesNanoAt(d.fd(), name, timespecs(m), unix.AT_SYMLINK_NOFOLLOW)
}

func (d *dir) lchown(name string, uid, gid int) error {
	return unix.Fchownat(d.fd(), name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
}

// chmod does not follow a symlink: someone may have put one where a directory or a fifo was.
func (d *dir) chmod(name string, perm uint32) error { return chmodAt(d.fd(), name, perm) }

// lock takes the directory for this run; false if another run has it.
func (d *dir) lock() (bool, error) {
	err := flock(d.fd())
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if hasNoLocks(err) {
		err = nil
	}
	return true, err
}

// up opens "." or ".." of d.
func (d *dir) up(name string) (*dir, error) { return openDirAt(d.fd(), name, d.f.Name(), 0) }

//go:build unix

package copy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockPart opens the part file of to, made if it is not there, and locks it.
func lockPart(to place, name string) (*os.File, error) {
	for {
		f, err := to.dir.openFile(name, unix.O_RDWR|unix.O_CREAT, 0o600)
		if errors.Is(err, unix.ELOOP) {
			return nil, notOurs(to, name)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot create %s: %w", to.shown, err)
		}
		ok, err := takePart(f, to, name)
		if ok {
			return f, nil
		}
		_ = f.Close()
		if err != nil {
			return nil, err
		}
	}
}

// takePart locks an open part file and looks whether it is one that may be written. It returns false without an error
// if the file is no longer the one at path: between open and lock, the run that had it may have finished.
func takePart(f *os.File, to place, name string) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, &LockedError{Dest: to.shown, Part: beside(to.shown, name)}
	case err != nil && !errors.Is(err, errors.ErrUnsupported): // not every file system has locks
		return false, fmt.Errorf("cannot lock %s: %w", beside(to.shown, name), err)
	}
	var open, named unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &open); err != nil {
		return false, fmt.Errorf("cannot create %s: %w", to.shown, err)
	}
	err = unix.Fstatat(to.dir.fd(), name, &named, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || err == nil && (named.Dev != open.Dev || named.Ino != open.Ino) {
		return false, nil
	}
	switch {
	case err != nil:
		return false, fmt.Errorf("cannot create %s: %w", to.shown, err)
	case open.Mode&unix.S_IFMT != unix.S_IFREG || open.Nlink != 1 || !takeBack(f, int(open.Uid), to):
		// Someone may have put it there, to read what is copied or to have another file of ours overwritten.
		return false, notOurs(to, name)
	}
	return true, f.Chmod(0o600)
}

// takeBack says whether an open part is this user's, if need be from now on.
func takeBack(f *os.File, owner int, to place) bool {
	return owner == os.Geteuid() || owner == to.uid && f.Chown(os.Geteuid(), os.Getegid()) == nil
}

func notOurs(to place, name string) error {
	return fmt.Errorf("cannot create %s: %s is not a part file of this user; remove it", to.shown, beside(to.shown, name))
}

// beside returns the path of name in the directory of path.
func beside(path, name string) string {
	folder, _ := filepath.Split(path)
	return folder + name
}

// commit gives the part file its final name, and keeps it open and locked. With keep set it fails with an error that matches
// fs.ErrExist if there is a file of that name, as far as the file system can tell.
func (p *part) commit(to place, keep bool) error {
	// A network file system may say only on close that the data did not get there. Closing a second descriptor asks,
	// and the first keeps the lock until the name is right.
	err := closeDup(p.f)
	if err == nil {
		err = p.dir.rename(p.name, to.name, keep)
	}
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", to.shown, err)
	}
	return nil
}

func closeDup(f *os.File) error {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func isNameTooLong(err error) bool { return errors.Is(err, unix.ENAMETOOLONG) }

//go:build unix

package copy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockGrace is how long a locked part file is waited for. The ring of a killed run may hold its files, and write to them,
// for a moment after the process has gone.
const lockGrace = time.Second

// lockPart opens the part file at path, made if it is not there, and locks it.
func lockPart(ctx context.Context, path, dst string) (*os.File, error) {
	for start := time.Now(); ; {
		f, made, err := openOrMake(path)
		if errors.Is(err, unix.ELOOP) {
			return nil, notOurs(path, dst)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot create %s: %w", dst, because(err))
		}
		ok, err := takePart(f, path, dst, made)
		if ok {
			return f, nil
		}
		var locked *LockedError
		isLocked := errors.As(err, &locked)
		if made && err != nil && !isLocked {
			_ = os.Remove(path)
		}
		_ = f.Close()
		if err != nil && (!isLocked || time.Since(start) > lockGrace) {
			return nil, err
		}
		if isLocked && !pause(ctx, 10*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
	}
}

// openOrMake opens the file at path, and says whether it is a new one.
func openOrMake(path string) (f *os.File, made bool, err error) {
	for {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, unix.EEXIST) {
			return f, err == nil, err
		}
		f, err = os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
		switch {
		case errors.Is(err, unix.ENOENT):
		case errors.Is(err, unix.EACCES) && removeSealed(path):
		default:
			return f, false, err
		}
	}
}

// removeSealed removes a part file of this user that may not be written: its run has died between giving it the mode of
// a read-only source and giving it its name.
func removeSealed(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && ours(&st) && unix.Unlink(path) == nil
}

// takePart locks an open part file and looks whether it is one that may be written. It returns false without an error
// if the file is not, or no longer, the one at path: between open and lock, the run that had it may have finished.
func takePart(f *os.File, path, dst string, made bool) (bool, error) {
	err := lock(f)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, &LockedError{Dest: dst, Part: path}
	case err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, unix.ENOLCK):
		// Those two only say that the file system has no locks.
		return false, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	var open, named unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &open); err != nil {
		return false, fmt.Errorf("cannot create %s: %w", dst, err)
	}
	err = unix.Lstat(path, &named)
	if errors.Is(err, unix.ENOENT) || err == nil && (named.Dev != open.Dev || named.Ino != open.Ino) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot create %s: %w", dst, err)
	}
	// Where a file system gives all files one owner, or root's to nobody, the new file need not be this user's.
	if !made && !ours(&open) {
		// Someone may have put it there, to read what is copied or to have another file of ours overwritten.
		if !alone(&open) || unix.Unlink(path) != nil {
			return false, notOurs(path, dst)
		}
		return false, nil
	}
	return true, f.Chmod(0o600)
}

func lock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// alone says whether st is a regular file with one name.
func alone(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink == 1 }

func ours(st *unix.Stat_t) bool { return alone(st) && int(st.Uid) == os.Geteuid() }

func notOurs(path, dst string) error {
	return fmt.Errorf("cannot create %s: %s is not a part file of this user; remove it", dst, path)
}

// commit gives the part file its final name and closes it. With keep set it fails with an error that matches
// fs.ErrExist if there is a file of that name, as far as the file system can tell.
func (p *part) commit(dst string, keep bool) error {
	// A network file system may say only on close that the data did not get there. Closing a second descriptor asks,
	// and the first keeps the lock until the name is right.
	err := closeDup(p.f)
	if err == nil && !p.named() {
		err = errors.New("its part file was removed or replaced")
	}
	if err == nil {
		err = rename(p.path, dst, keep)
	}
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", dst, err)
	}
	_ = p.f.Close()
	return nil
}

// named says whether the file at the part's path is still the part. If someone has removed it, another run may have made
// its own, which is not whole.
func (p *part) named() bool {
	open, err1 := p.f.Stat()
	named, err2 := os.Lstat(p.path)
	return err1 == nil && err2 == nil && os.SameFile(open, named)
}

// renameChecked is rename with keep set where the system cannot do it: a file that appears in between is lost.
func renameChecked(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return unix.EEXIST
	}
	return unix.Rename(from, to)
}

func closeDup(f *os.File) error {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func isNameTooLong(err error) bool { return errors.Is(err, unix.ENAMETOOLONG) }

//go:build unix

package copy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockGrace is how long a locked part file is waited for. The ring of a killed run may hold its files, and write to them,
// for a moment after the process has gone.
const lockGrace = time.Second

// lockPart opens the part file of to, made if it is not there, and locks it.
func lockPart(ctx context.Context, to place, name string) (*os.File, error) {
	for start := time.Now(); ; {
		f, err := tryPart(to, name)
		var locked *LockedError
		isLocked := errors.As(err, &locked)
		if f != nil || err != nil && (!isLocked || time.Since(start) > lockGrace) {
			return f, err
		}
		if isLocked && !pause(ctx, 10*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
	}
}

// tryPart is one attempt of lockPart. It returns nil without an error if things have changed and it is to be called
// again.
func tryPart(to place, name string) (*os.File, error) {
	f, made, err := makeOrOpen(to.dir.fd(), name, 0)
	sealed := errors.Is(err, unix.EACCES)
	if sealed {
		f, err = openSealed(to.dir, name)
		if f == nil && err == nil {
			return nil, nil
		}
	}
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, notOurs(to, name)
	case err != nil:
		return nil, fmt.Errorf("cannot create %s: %w", to.shown, err)
	}
	ok, err := takePart(f, to, name, made)
	if ok && !sealed {
		_ = f.Chmod(0o600) // not every file system has modes
		return f, nil
	}
	if ok {
		err = unseal(f, to)
	}
	var locked *LockedError
	if made && err != nil && !errors.As(err, &locked) {
		(&part{f, to.dir, name}).discard()
		return nil, err
	}
	_ = f.Close()
	return nil, err
}

// makeOrOpen opens a file for reading and writing, with more flags, and says whether it is a new one. A symlink is not
// followed.
func makeOrOpen(at int, name string, more int) (f *os.File, made bool, err error) {
	flags := unix.O_RDWR | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NOCTTY | more
	for {
		fd, err := openat(at, name, flags|unix.O_CREAT|unix.O_EXCL, 0o600)
		if made = err == nil; errors.Is(err, unix.EEXIST) {
			fd, err = openat(at, name, flags, 0)
			if errors.Is(err, unix.ENOENT) {
				continue
			}
		}
		if err != nil {
			return nil, false, err
		}
		return os.NewFile(uintptr(fd), name), made, nil
	}
}

// openSealed opens a part file that may not be written: its run has died between giving it the mode of a read-only source
// and giving it its name. It may be complete, and is to be made writable again under its lock. One that may not even be
// read is removed, if it is this user's; then both results are nil.
func openSealed(d *dir, name string) (*os.File, error) {
	f, err := d.openFile(name, unix.O_RDONLY, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, unix.EACCES // there was none, and the directory takes none
	case errors.Is(err, unix.EACCES):
		var st unix.Stat_t
		if unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && ours(&st) && d.remove(name) == nil {
			return nil, nil
		}
	case err == nil:
		var st unix.Stat_t
		if unix.Fstat(int(f.Fd()), &st) != nil || ours(&st) && st.Mode&unix.S_IWUSR != 0 {
			_ = f.Close()
			return nil, unix.EACCES // its mode is not what is in the way
		}
	}
	return f, err
}

// unseal makes f, the part file of to, writable for whoever opens it next.
func unseal(f *os.File, to place) error {
	err := f.Chmod(0o600)
	if m, e := statFile(f); err == nil && e == nil && m.mode.Perm() != 0o600 {
		err = unix.EACCES
	}
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", to.shown, because(err))
	}
	return nil
}

// takePart locks an open part file and looks whether it is one that may be written. It returns false without an error
// if the file is not, or no longer, the one of that name: between open and lock, the run that had it may have finished.
func takePart(f *os.File, to place, name string, made bool) (bool, error) {
	err := flock(int(f.Fd()))
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, &LockedError{Dest: to.shown, Part: beside(to.shown, name)}
	case err != nil && !hasNoLocks(err):
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
	if err != nil {
		return false, fmt.Errorf("cannot create %s: %w", to.shown, err)
	}
	// Where a file system gives all files one owner, or root's to nobody, the new file need not be this user's.
	if !made && !(alone(&open) && takeBack(f, int(open.Uid), to)) {
		// Someone may have put it there, to read what is copied or to have another file of ours overwritten.
		if !alone(&open) || to.dir.remove(name) != nil {
			return false, notOurs(to, name)
		}
		return false, nil
	}
	return true, nil
}

func flock(fd int) error {
	for {
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// lockFree says whether nobody else has locked f, which is locked from then on.
func lockFree(f *os.File) bool {
	err := flock(int(f.Fd()))
	return err == nil || hasNoLocks(err)
}

// hasNoLocks says whether err of flock only means that the file system has no locks; EBADF is what NFS says of a
// descriptor that is not for writing.
func hasNoLocks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.EBADF)
}

// alone says whether st is a regular file with one name.
func alone(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink == 1 }

func ours(st *unix.Stat_t) bool { return alone(st) && int(st.Uid) == os.Geteuid() }

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
	if err == nil && !p.named() {
		err = errors.New("its part file was removed or replaced")
	}
	if err == nil {
		err = p.dir.rename(p.name, to.name, keep)
	}
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", to.shown, err)
	}
	return nil
}

// named says whether the file of the part's name is still the part. If someone has removed it, another run may have made
// its own, which is not whole.
func (p *part) named() bool {
	open, err1 := statFile(p.f)
	named, err2 := p.dir.lstat(p.name)
	return err1 == nil && err2 == nil && sameFile(open, named)
}

func closeDup(f *os.File) error {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func isNameTooLong(err error) bool { return errors.Is(err, unix.ENAMETOOLONG) }

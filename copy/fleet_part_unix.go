//go:build unix

package copy

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// openShared opens a part file that many processes write to, with a lock that all of them share and no other run gets. With
// make set it is made if it is not there. One that may not be written any more is opened for reading: only its name is
// missing then.
func openShared(to place, name string, make bool) (*os.File, error) {
	var f *os.File
	var err error
	if make {
		f, _, err = makeOrOpen(to.dir.fd(), name, 0)
	} else if f, err = to.dir.openFile(name, unix.O_RDWR, 0); errors.Is(err, unix.EACCES) {
		f, err = to.dir.openFile(name, unix.O_RDONLY, 0)
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(int(f.Fd()), &st); err == nil && !alone(&st) {
		err = notOurs(to, name)
	}
	if err == nil {
		if err = shareLock(int(f.Fd())); errors.Is(err, unix.EWOULDBLOCK) {
			err = &LockedError{Dest: to.shown, Part: beside(to.shown, name)}
		} else if hasNoLocks(err) {
			err = nil
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// shareLock takes a lock that others can share. One that looks whether a part is in use holds it alone for a moment.
func shareLock(fd int) error {
	for start := time.Now(); ; {
		err := unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK) && time.Since(start) < lockGrace:
			pause(context.Background(), 10*time.Millisecond)
		default:
			return err
		}
	}
}

//go:build unix

package crawl

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// stateInUse says whether an error of locking means that another process has the lock (fcntl(2), F_SETLK).
func stateInUse(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) }

// lockedElsewhere locks a file for this process, and says whether another has it. Where a file system has no locks,
// nobody is locked out.
func lockedElsewhere(f *os.File) bool {
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

//go:build unix

package crawl

import (
	"errors"

	"golang.org/x/sys/unix"
)

// stateInUse says whether an error of locking means that another process has the lock (fcntl(2), F_SETLK).
func stateInUse(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) }

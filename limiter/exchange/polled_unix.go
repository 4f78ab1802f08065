//go:build unix

package exchange

import (
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// readNow reads what has arrived. The descriptor is a non-blocking one.
func readNow(raw syscall.RawConn, p []byte) (n int, err error) {
	ctlErr := raw.Read(func(fd uintptr) bool {
		for {
			if n, err = unix.Read(int(fd), p); err != unix.EINTR {
				return true
			}
		}
	})
	switch {
	case ctlErr != nil:
		return 0, ctlErr
	case err == unix.EAGAIN:
		return 0, errNothing
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

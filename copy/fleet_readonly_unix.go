//go:build unix

package copy

import (
	"errors"

	"golang.org/x/sys/unix"
)

// readOnly says whether this machine has the folder d mounted for reading only (access(2)). Whatever else it may not do there,
// others may not either.
func (d *dir) readOnly() bool {
	return errors.Is(unix.Faccessat(d.fd(), ".", unix.W_OK, 0), unix.EROFS)
}

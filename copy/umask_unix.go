//go:build unix

package copy

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// umask returns what new files are not allowed. It can only be read by changing it: a file that someone makes meanwhile is
// open to nobody else.
func umask() fs.FileMode {
	mask := unix.Umask(0o077)
	unix.Umask(mask)
	return fs.FileMode(mask) & fs.ModePerm
}

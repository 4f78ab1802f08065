//go:build unix && !linux

package copy

import (
	"os"

	"golang.org/x/sys/unix"
)

// rename gives a file another name. With keep set it fails if there is a file of that name, unless one appears in
// between.
func rename(from, to string, keep bool) error {
	if keep {
		if _, err := os.Lstat(to); err == nil {
			return unix.EEXIST
		}
	}
	return unix.Rename(from, to)
}

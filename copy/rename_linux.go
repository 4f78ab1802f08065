package copy

import (
	"errors"

	"golang.org/x/sys/unix"
)

// rename gives a file another name. With keep set it fails if there is a file of that name.
func rename(from, to string, keep bool) error {
	if !keep {
		return unix.Rename(from, to)
	}
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	// Not every file system can tell (renameat2(2)).
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return renameChecked(from, to)
	}
	return err
}

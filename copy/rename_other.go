//go:build unix && !linux

package copy

import "golang.org/x/sys/unix"

// rename gives a file another name. With keep set it fails if there is a file of that name.
func rename(from, to string, keep bool) error {
	if keep {
		return renameChecked(from, to)
	}
	return unix.Rename(from, to)
}

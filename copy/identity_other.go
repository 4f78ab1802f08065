//go:build unix && !linux && !darwin

package copy

import (
	"os"

	"golang.org/x/sys/unix"
)

func partIDOf(f *os.File) (partID, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return partID{}, err
	}
	return partID{dev: uint64(st.Dev), ino: uint64(st.Ino)}, nil
}

// bootID is not known here. So ranges are always hashed again.
func bootID() string { return "" }

package copy

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// dataSync brings the data of f to its device, or its server (fdatasync(2)).
func dataSync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

const syncsAll = true

// syncAll brings all that was written to the file system of f to its device (syncfs(2)).
func syncAll(f *os.File) error {
	for {
		if err := unix.Syncfs(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

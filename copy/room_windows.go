package copy

import (
	"errors"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// freeSpace returns how many bytes this user can still write to the volume of f.
func freeSpace(f *os.File) (int64, bool) {
	dir, err := windows.UTF16PtrFromString(filepath.Dir(f.Name()))
	if err != nil {
		return 0, false
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(dir, &free, nil, nil); err != nil {
		return 0, false
	}
	return int64(min(free, math.MaxInt64)), true
}

// freeInodes does not know here.
func freeInodes(*os.File) (int64, bool) { return 0, false }

// blocksOf does not know here.
func blocksOf(*os.File) blockRule { return blockRule{size: 1} }

// preallocate leaves it to the file's length, which makes room on this system.
func preallocate(*os.File, extent) error { return nil }

func outOfSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

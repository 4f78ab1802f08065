//go:build !linux && !windows

package copy

import (
	"errors"
	"os"
	"syscall"
)

// freeSpace does not know here: a full disk is met when it is written to.
func freeSpace(*os.File) (int64, bool) { return 0, false }

// freeInodes does not know here.
func freeInodes(*os.File) (int64, bool) { return 0, false }

// blocksOf does not know here.
func blocksOf(*os.File) blockRule { return blockRule{size: 1} }

// preallocate cannot be had from all of these systems in one way.
func preallocate(*os.File, extent) error { return nil }

func outOfSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

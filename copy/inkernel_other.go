//go:build !linux

package copy

import (
	"errors"
	"os"
)

func sharesNothing(_, _ *os.File) bool { return true } // as clone says

// kernelRanges suits nothing here: these systems have no such call that works on open files and ranges.
var kernelRanges = rangeCopier{
	suits: func(_, _ *os.File, _ error) bool { return false },
	copy:  func(_, _ *os.File, _ int64, _ int) (int, error) { return 0, errors.ErrUnsupported },
}

//go:build !linux

package copy

import (
	"errors"
	"os"
)

func openPastCache(*os.File, int) (*os.File, error) { return nil, errors.ErrUnsupported }

func mapPages(int64) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapPages([]byte) {}

//go:build !linux

package copy

import (
	"errors"
	"os"
)

func dataSync(f *os.File) error { return f.Sync() }

const syncsAll = false

// syncAll is not to be had here: each file is synced by itself.
func syncAll(*os.File) error { return errors.ErrUnsupported }

//go:build !unix

package copy

import (
	"context"
	"io/fs"
	"os"
)

// openInPlace opens a device for writing.
func openInPlace(_ context.Context, path string, _ fs.FileMode) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY, 0)
}

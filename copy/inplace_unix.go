//go:build unix

package copy

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// openInPlace opens a device or fifo for writing. It asks again and again for a reader of a fifo: an open that waits
// for one could not be cancelled.
func openInPlace(ctx context.Context, path string, mode fs.FileMode) (*os.File, error) {
	fifo := mode&fs.ModeNamedPipe != 0
	for {
		f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if !fifo || !errors.Is(err, unix.ENXIO) {
			return f, err
		}
		if !pause(ctx, 20*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
	}
}

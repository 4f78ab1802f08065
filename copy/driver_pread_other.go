//go:build !unix

package copy

import (
	"io"
	"os"
)

func pread(f *os.File, p []byte, off int64) (int, error) {
	n, err := f.ReadAt(p, off)
	if err == io.EOF {
		err = nil // as pread(2), which returns 0
	}
	return n, err
}

func pwrite(f *os.File, p []byte, off int64) (int, error) { return f.WriteAt(p, off) }

package copy

import (
	"bytes"
	"context"
	"os"
)

// holeSize is the least that becomes a hole: the block of nearly every file system.
const holeSize = 4 * kib

var zeros [holeSize]byte

// writeSparse writes what of p is not whole blocks of zeros. The rest must be a hole already.
func writeSparse(ctx context.Context, d driver, f *os.File, p []byte, off int64) error {
	for len(p) > 0 {
		n, zero := sparseRun(p, off)
		if !zero {
			if err := writeFull(ctx, d, f, p[:n], off); err != nil {
				return err
			}
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// sparseRun returns how many bytes at the start of p, which belong at off, are blocks of zeros, or are not.
func sparseRun(p []byte, off int64) (n int, zero bool) {
	for n < len(p) {
		block := p[n:min(len(p), n+holeSize-int((off+int64(n))%holeSize))]
		is := len(block) == holeSize && bytes.Equal(block, zeros[:])
		if n > 0 && is != zero {
			return n, zero
		}
		n, zero = n+len(block), is
	}
	return n, zero
}

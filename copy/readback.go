package copy

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"pace/limiter/progress"
)

// verify reads back what was written, from the device as far as the system lets go of what it remembers.
func (f *file) verify(ctx context.Context) error {
	if err := f.out.Sync(); err != nil {
		return f.writeError(err)
	}
	forget(f.out)
	size := f.meta.size
	if f.streams || size == 0 {
		m, err := statFile(f.out)
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", f.to.shown, err)
		}
		size = m.size
	}
	same, err := f.equal(ctx, f.out, size, f.sum)
	if err != nil {
		return err
	}
	if !same {
		return &VerifyError{Source: f.from.shown, Dest: f.to.shown}
	}
	return nil
}

// VerifyError says that what was read back from a destination is not what its source holds.
type VerifyError struct{ Source, Dest string }

func (e *VerifyError) Error() string {
	return fmt.Sprintf("verification failed: %s was not written as %s has it", e.Dest, e.Source)
}

// sum is the digest of p by the hash that was chosen.
func (r *run) sum(p []byte) []byte {
	h := r.Hash.New()
	_, _ = h.Write(p) // never fails
	return h.Sum(nil)
}

// equal says whether the first size bytes of the source and of out have equal sums, piece by piece.
func (f *file) equal(ctx context.Context, out *os.File, size int64, sum func([]byte) []byte) (bool, error) {
	buf, giveBack := f.lend()
	defer giveBack()
	for off := int64(0); off < size; off += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return false, context.Cause(ctx)
		}
		p := buf[:min(int64(len(buf)), size-off)]
		op := f.Progress.Begin()
		same, err := f.equalPiece(ctx, out, p, off, sum)
		op.EndAs(ctx, progress.Did{Kind: "verify", Item: f.from.shown, Offset: off, Bytes: int64(len(p)), Err: err})
		if err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

func (f *file) equalPiece(
	ctx context.Context, out *os.File, p []byte, off int64, sum func([]byte) []byte,
) (bool, error) {
	n, err := readFull(ctx, f.driver, f.in, p, off)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", f.from.shown, err)
	}
	want := sum(p[:n])
	m, err := readFull(ctx, f.driver, out, p, off)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", f.to.shown, err)
	}
	return n == len(p) && m == n && bytes.Equal(sum(p), want), nil
}

// lend returns memory for one operation, and what gives it back. A small file has its own: its worker has no more.
func (f *file) lend() (buf []byte, giveBack func()) {
	if f.piece != nil {
		return f.piece, func() {}
	}
	buf = f.driver.buffer()
	return buf, func() { f.driver.release(buf) }
}

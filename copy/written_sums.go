package copy

import (
	"bytes"
	"context"
	"sync"
)

// writtenSums remember what was written to a file, to verify it: a source that is far away may have changed since, or would
// have to be read twice.
type writtenSums struct {
	mu     sync.Mutex
	ranges []sumOfRange // guarded by mu
}

// sumOfRange is n bytes from off with their sum, in as many bytes as the longest has.
type sumOfRange struct {
	off, n int64
	sum    [32]byte
}

// add notes that p was written at off.
func (w *writtenSums) add(by Hash, p []byte, off int64) {
	r := sumAt(by, p, off)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ranges = append(w.ranges, r)
}

func sumAt(by Hash, p []byte, off int64) sumOfRange {
	r := sumOfRange{off: off, n: int64(len(p))}
	h := by.New()
	_, _ = h.Write(p) // never fails
	h.Sum(r.sum[:0])
	return r
}

// holds says whether read, which is as pread(2), gives all that was added. The only error is that ctx was cancelled.
func (w *writtenSums) holds(ctx context.Context, by Hash, read func(p []byte, off int64) (int, error)) (bool, error) {
	buf := make([]byte, rehashBuffer)
	for _, r := range w.ranges {
		same := r.isIn(ctx, by, read, buf)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if !same {
			return false, nil
		}
	}
	return true, nil
}

// isIn is false also for what cannot be read.
func (r sumOfRange) isIn(ctx context.Context, by Hash, read func(p []byte, off int64) (int, error), buf []byte) bool {
	h := by.New()
	for off, end := r.off, r.off+r.n; off < end; {
		n, err := read(buf[:min(int64(len(buf)), end-off)], off)
		if n > 0 {
			_, _ = h.Write(buf[:n]) // never fails
			off += int64(n)
		}
		if ctx.Err() != nil || off < end && (n <= 0 || err != nil) {
			return false
		}
	}
	return bytes.Equal(h.Sum(nil), r.sum[:h.Size()])
}

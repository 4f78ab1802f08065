package copy

import (
	"context"
	"os"

	"pace/copy/internal/uring"
)

// ringDriver hands the system calls to the thread that owns the ring.
type ringDriver struct{ ring *uring.Ring }

func openRing(workers, more int, size int64) (driver, error) {
	ring, err := uring.New(uring.Config{
		Buffers: workers, Spare: more, Depth: (workers + more) * batchLen, BufferSize: int(size),
	})
	if err != nil {
		return nil, err
	}
	return ringDriver{ring}, nil
}

func (d ringDriver) buffer() []byte   { return d.ring.Buffer() }
func (d ringDriver) release(b []byte) { d.ring.Release(b) }
func (d ringDriver) close() error     { return d.ring.Close() }

func (d ringDriver) pread(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
	return d.ring.ReadAt(ctx, int(f.Fd()), p[:min(len(p), maxCall)], off)
}

func (d ringDriver) pwrite(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
	return d.ring.WriteAt(ctx, int(f.Fd()), p[:min(len(p), maxCall)], off)
}

func (d ringDriver) moves(ctx context.Context, all []transfer) {
	ops := make([]uring.Op, len(all))
	for i, t := range all {
		ops[i] = uring.Op{From: int(t.in.Fd()), P: t.p[:min(len(t.p), maxCall)], Off: t.off}
		if t.out != nil && len(t.p) <= maxCall {
			ops[i].Kind, ops[i].To = uring.Copy, int(t.out.Fd())
		}
	}
	d.ring.Do(ctx, ops)
	for i, op := range ops {
		all[i].read, all[i].written, all[i].err = op.Read, op.Written, op.Err
	}
}

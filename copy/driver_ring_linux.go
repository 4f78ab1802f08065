package copy

import (
	"context"
	"os"

	"pace/copy/internal/uring"
)

// ringDriver hands the system calls to the thread that owns the ring.
type ringDriver struct{ ring *uring.Ring }

func openRing(workers int, size int64) (driver, error) {
	ring, err := uring.New(uring.Config{Buffers: workers, Depth: workers * batchLen, BufferSize: int(size)})
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

func (d ringDriver) preads(ctx context.Context, all []transfer)  { d.all(ctx, false, all) }
func (d ringDriver) pwrites(ctx context.Context, all []transfer) { d.all(ctx, true, all) }

func (d ringDriver) all(ctx context.Context, write bool, all []transfer) {
	ops := make([]uring.Op, len(all))
	for i, t := range all {
		ops[i] = uring.Op{Write: write, FD: int(t.f.Fd()), P: t.p[:min(len(t.p), maxCall)], Off: t.off}
	}
	d.ring.Do(ctx, ops)
	for i := range all {
		all[i].n, all[i].err = ops[i].N, ops[i].Err
	}
}

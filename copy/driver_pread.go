package copy

import (
	"context"
	"os"
	"sync"
)

// preadDriver makes the system calls on the caller's own thread.
type preadDriver struct {
	size int64

	mu   sync.Mutex
	free [][]byte
}

func newPreadDriver(size int64) *preadDriver { return &preadDriver{size: size} }

func (d *preadDriver) buffer() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.free); n > 0 {
		// The last one that came back: it is the likeliest to be in a cache.
		b := d.free[n-1]
		d.free = d.free[:n-1]
		return b
	}
	return make([]byte, d.size)
}

func (d *preadDriver) release(b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = append(d.free, b)
}

func (d *preadDriver) pread(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return pread(f, p[:min(len(p), maxCall)], off)
}

func (d *preadDriver) pwrite(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return pwrite(f, p[:min(len(p), maxCall)], off)
}

func (d *preadDriver) preads(ctx context.Context, all []transfer) {
	for i := range all {
		t := &all[i]
		t.n, t.err = d.pread(ctx, t.f, t.p, t.off)
	}
}

func (d *preadDriver) pwrites(ctx context.Context, all []transfer) {
	for i := range all {
		t := &all[i]
		t.n, t.err = d.pwrite(ctx, t.f, t.p, t.off)
	}
}

func (d *preadDriver) close() error { return nil }

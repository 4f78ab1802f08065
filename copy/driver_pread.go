package copy

import (
	"context"
	"os"
	"sync"
)

// preadDriver makes the system calls on the caller's own thread.
type preadDriver struct {
	size   int64
	mapped bool // buffers are pages of their own: O_DIRECT wants that, and the collector does not let as much again be garbage

	mu   sync.Mutex
	free [][]byte
	all  [][]byte // that are mapped
}

func newPreadDriver(size int64, mapped bool) *preadDriver {
	return &preadDriver{size: size, mapped: mapped}
}

func (d *preadDriver) buffer() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.free); n > 0 {
		// The last one that came back: it is the likeliest to be in a cache.
		b := d.free[n-1]
		d.free = d.free[:n-1]
		return b
	}
	if d.mapped {
		if b, err := mapPages(d.size); err == nil {
			d.all = append(d.all, b)
			return b
		}
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

func (d *preadDriver) moves(ctx context.Context, all []transfer) { movesBy(ctx, d, all) }

func (d *preadDriver) close() error {
	for _, b := range d.all {
		unmapPages(b)
	}
	return nil
}

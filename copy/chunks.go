package copy

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"pace/limiter/progress"
)

// chunk is a range of bytes to copy with one operation.
type chunk struct{ off, n int64 }

// cutter cuts extents into chunks of at most size bytes, in order.
type cutter struct {
	extents []extent
	size    int64
	off     int64

	// With a share, a chunk is at most that part of what is left, but not less than least: where each may take long, those
	// who share them then end at about the same time, though there are few.
	share, least int64
	left         int64 // bytes
}

// next returns the next chunk, and whether it is the last one. There must be one.
func (c *cutter) next() (chunk, bool) {
	e := c.extents[0]
	c.off = max(c.off, e.off)
	size := c.size
	if c.share > 0 {
		size = min(size, max(c.left/c.share, c.least))
	}
	k := chunk{c.off, min(size, e.end-c.off)}
	c.left -= k.n
	if c.off += k.n; c.off == e.end {
		c.extents = c.extents[1:]
	}
	return k, len(c.extents) == 0
}

// count returns how many chunks are left.
func (c *cutter) count() int64 {
	n := int64(0)
	if all := *c; c.share > 0 {
		for len(all.extents) > 0 {
			all.next()
			n++
		}
		return n
	}
	for _, e := range c.extents {
		n += (e.end-max(c.off, e.off)-1)/c.size + 1
	}
	return n
}

// portions are the chunks of one file that many workers share.
type portions struct {
	cut     cutter       // guarded by the engine
	left    atomic.Int64 // chunks not done
	failure atomic.Pointer[error]
}

func (p *portions) chunks() *cutter { return &p.cut }

// do copies one of them unless another has failed. It returns true after the last one, and then the first failure.
func (p *portions) do(ctx context.Context, copyIt func() error) (last bool, err error) {
	if p.failure.Load() == nil {
		if err := copyIt(); err != nil {
			if ctx.Err() != nil {
				return false, cancelled(ctx)
			}
			p.failure.CompareAndSwap(nil, &err)
		}
	}
	if p.left.Add(-1) > 0 {
		return false, nil
	}
	if err := p.failure.Load(); err != nil {
		return true, *err
	}
	return true, nil
}

// chunkJob copies one chunk; the one that is done last completes the file.
func (f *file) chunkJob(ctx context.Context, c chunk) error {
	last, err := f.do(ctx, func() error { return f.copyChunk(ctx, c) })
	if !last {
		return err
	}
	if err == nil {
		err = f.complete(ctx)
	}
	return f.end(ctx, err)
}

// copyChunk does not know its mode.
func (f *file) copyChunk(ctx context.Context, c chunk) error {
	if err := f.wait(ctx, c.n); err != nil {
		return err
	}
	op := f.Progress.Begin()
	err := f.copyAt(ctx, c)
	op.EndAs(ctx, progress.Did{Kind: "chunk", Item: f.from.shown, Offset: c.off, Bytes: c.n, Err: err})
	return err
}

// copyAt copies a chunk whose turn has come.
func (f *file) copyAt(ctx context.Context, c chunk) error {
	c, err := f.copyInKernel(ctx, c)
	if err != nil || c.n == 0 {
		return err
	}
	buf := f.driver.buffer()
	defer f.driver.release(buf)
	if err := f.move(ctx, buf, c); err != nil || f.journal == nil {
		return err
	}
	return f.note(rangeOf(buf[:c.n], c.off))
}

// move copies the bytes of c by way of buf.
func (f *file) move(ctx context.Context, buf []byte, c chunk) error {
	if f.direct != nil {
		return f.moveDirect(ctx, buf, c)
	}
	return f.moveBetween(ctx, f.in, f.out, buf, c)
}

func (f *file) moveBetween(ctx context.Context, in, out *os.File, buf []byte, c chunk) error {
	t := transfer{in: in, p: buf[:c.n], off: c.off}
	if f.Sparse != SparseAlways {
		t.out = out // otherwise by pieces, since not all of it is to be written
	}
	all := [1]transfer{t}
	f.driver.moves(ctx, all[:])
	return f.finishMove(ctx, all[0], out)
}

// finishMove looks at the outcome of a transfer and moves to out what is missing.
func (f *file) finishMove(ctx context.Context, t transfer, out *os.File) error {
	if t.read < len(t.p) {
		err := t.err
		if err == nil || again(ctx, err) {
			var n int
			n, err = readFull(ctx, f.driver, t.in, t.p[t.read:], t.off+int64(t.read))
			t.read += n
		}
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", f.from.shown, err)
		}
		if t.read < len(t.p) {
			return &ChangedError{f.from.shown}
		}
	} else if t.err != nil && !again(ctx, t.err) {
		return f.writeError(t.err)
	}
	if t.written < len(t.p) {
		if err := f.writeTo(ctx, out, t.p[t.written:], t.off+int64(t.written)); err != nil {
			return err
		}
	}
	f.Progress.AddBytes(int64(len(t.p)))
	return nil
}

// wait takes one operation of n bytes of the limits, if there are any.
func (r *run) wait(ctx context.Context, n int64) error {
	if r.Rate == nil && r.IOPS == nil {
		return nil
	}
	w := r.Progress.BeginWait()
	defer w.End()
	if err := r.IOPS.Wait(ctx, 1); err != nil {
		return err
	}
	return r.Rate.Wait(ctx, n)
}

func (f *incoming) writePart(ctx context.Context, p []byte, off int64) error {
	return f.writeTo(ctx, f.out, p, off)
}

func (f *incoming) writeTo(ctx context.Context, out *os.File, p []byte, off int64) error {
	write := writeFull
	if f.Sparse == SparseAlways {
		write = writeSparse
	}
	if err := write(ctx, f.driver, out, p, off); err != nil {
		return f.writeError(err)
	}
	return nil
}

func (f *incoming) writeError(err error) error {
	switch err = f.to.dir.noInode(f.to.shown, err); {
	case outOfSpace(err):
		return &SpaceError{Dest: f.to.shown, Need: f.meta.size, Free: -1}
	case noSpace(err):
		return err
	}
	return fmt.Errorf("cannot write %s: %w", f.to.shown, because(err))
}

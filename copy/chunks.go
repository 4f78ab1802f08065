package copy

import (
	"context"
	"fmt"
	"io"

	"pace/limiter"
)

// chunk is one job: a range of bytes to copy.
type chunk struct{ off, n int64 }

// copyChunks copies the extents, many chunks at a time.
func (f *file) copyChunks(ctx context.Context) error {
	chunks := chunksOf(f.extents, f.run.chunk)
	next := func(ctx context.Context) (chunk, error) {
		f.begun = true // not before: Each may refuse so many workers
		return chunks(ctx)
	}
	return limiter.Each(ctx, f.Mode, f.width, next, f.copyChunk)
}

// chunksOf cuts extents into chunks of at most size bytes, in order.
func chunksOf(extents []extent, size int64) func(context.Context) (chunk, error) {
	i, off := 0, int64(-1)
	return func(context.Context) (chunk, error) {
		if i == len(extents) {
			return chunk{}, io.EOF
		}
		e := extents[i]
		off = max(off, e.off)
		c := chunk{off, min(size, e.end-off)}
		if off += c.n; off == e.end {
			i++
		}
		return c, nil
	}
}

// copyChunk is the job. It does not know its mode.
func (f *file) copyChunk(ctx context.Context, c chunk) error {
	if err := f.wait(ctx, c.n); err != nil {
		return err
	}
	op := f.Progress.Begin()
	defer op.End()
	buf := f.driver.buffer()
	defer f.driver.release(buf)
	n, err := readFull(ctx, f.driver, f.in, buf[:c.n], c.off)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", f.src, err)
	}
	if int64(n) < c.n {
		return &ChangedError{f.src}
	}
	if err := f.writePart(ctx, buf[:n], c.off); err != nil {
		return err
	}
	f.Progress.AddBytes(c.n)
	return nil
}

// wait takes n bytes of the rate, if there is one.
func (f *file) wait(ctx context.Context, n int64) error {
	if f.Rate == nil {
		return nil
	}
	w := f.Progress.BeginWait()
	defer w.End()
	return f.Rate.Wait(ctx, n)
}

func (f *file) writePart(ctx context.Context, p []byte, off int64) error {
	if err := writeFull(ctx, f.driver, f.part.f, p, off); err != nil {
		return f.writeError(err)
	}
	return nil
}

func (f *file) writeError(err error) error {
	if outOfSpace(err) {
		return &SpaceError{Dest: f.dst, Need: f.info.Size(), Free: -1}
	}
	return fmt.Errorf("cannot write %s: %w", f.dst, because(err))
}

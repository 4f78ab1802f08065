package copy

import (
	"context"
	"fmt"
	"time"

	"pace/limiter/progress"
)

// stream reads the source from its start to its end, whatever its size is said to be, and gives each piece to write in
// order.
func (f *file) stream(ctx context.Context, write func(ctx context.Context, p []byte, off int64) error) error {
	f.begun = true
	buf, giveBack := f.lend()
	defer giveBack()
	for off := int64(0); ; {
		n, err := f.streamPiece(ctx, buf, off, write)
		if err != nil || n == 0 {
			return err
		}
		off += int64(n)
	}
}

// streamToPart does so into the new file, and gives that its length: its end may be a hole.
func (f *file) streamToPart(ctx context.Context) error {
	end := int64(0)
	err := f.stream(ctx, func(ctx context.Context, p []byte, off int64) error {
		end = off + int64(len(p))
		return f.writePart(ctx, p, off)
	})
	if err != nil || f.Sparse != SparseAlways {
		return err
	}
	if err := f.out.Truncate(end); err != nil {
		return f.roomError(because(err))
	}
	return nil
}

// streamPiece moves what fits into buf, and returns how much that was: 0 at the end.
func (f *file) streamPiece(
	ctx context.Context, buf []byte, off int64, write func(context.Context, []byte, int64) error,
) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	op := f.Progress.Begin()
	n, err := readFull(ctx, f.driver, f.in, buf, off)
	op.EndAs(ctx, progress.Did{Kind: "read", Item: f.from.shown, Offset: off, Bytes: int64(n), Err: err})
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", f.from.shown, err)
	}
	if n == 0 {
		return 0, nil
	}
	// How much there is to wait for is known only now.
	if err := f.wait(ctx, int64(n)); err != nil {
		return 0, err
	}
	op = f.Progress.Begin()
	err = write(ctx, buf[:n], off)
	op.EndAs(ctx, progress.Did{Kind: "write", Item: f.from.shown, Offset: off, Bytes: int64(n), Err: err})
	if err != nil {
		return 0, err
	}
	f.Progress.AddBytes(int64(n))
	return n, nil
}

// copyInPlace writes to a device or fifo as it stands, in order.
func (f *file) copyInPlace(ctx context.Context) error {
	if f.Reflink == ReflinkAlways {
		return fmt.Errorf("cannot share the data of %s with %s: it is not a regular file", f.from.shown, f.to.shown)
	}
	out, err := openInPlace(ctx, f.to.shown, f.inPlace)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", f.to.shown, because(err))
	}
	// A writer waits as long as nobody reads from the fifo. Not all files have deadlines; those without don't wait.
	stop := context.AfterFunc(ctx, func() { _ = out.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	err = f.stream(ctx, func(_ context.Context, p []byte, _ int64) error {
		if _, err := out.Write(p); err != nil {
			return f.writeError(err)
		}
		return nil
	})
	if e := out.Close(); err == nil && e != nil {
		err = f.writeError(e)
	}
	if err != nil {
		return err
	}
	return f.unchanged()
}

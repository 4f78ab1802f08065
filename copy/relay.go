package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"pace/limiter"
)

// relay is one file on its way from a source to a sink, of which either may be anything. From a file to a file of this
// machine there is a shorter way: see file.
type relay struct {
	*run
	portions
	src, dst string // for messages
	from     source
	to       sink
	far      bool // each chunk costs a round trip

	what found
	need need

	ctx  context.Context // of the chunks; the first that fails ends the others
	stop context.CancelCauseFunc

	buffers driver       // that lends them: the run's, or own
	own     *preadDriver // where a chunk has to be gathered whole

	moved    atomic.Int64 // bytes
	counted  int64        // what the progress has been told of bytes
	restarts int
	begun    bool
	kept     bool // the destination was there first
}

// cutterOf cuts what is missing. A chunk of a far source costs a request, so it is long, but the last ones are short: all
// workers are to end together.
func (y *relay) cutterOf(missing []extent) cutter {
	c := cutter{extents: missing, size: y.chunk}
	if y.need.chunk > 0 {
		c.size = y.need.chunk
	} else if y.far {
		y.askInShares(&c)
	}
	return c
}

// maxRestarts is how often a file is begun again because its source has changed while it was read.
const maxRestarts = 3

// openAndStart opens the source and starts.
func (y *relay) openAndStart(ctx context.Context) error {
	var err error
	if y.what, err = y.from.open(ctx); err != nil {
		y.live.remove(y)
		if y.restarts > 0 {
			y.to.abort(false)
		}
		y.from.close()
		return y.failed(ctx, y.src, err, y.begun)
	}
	return y.start(ctx)
}

// start is the job that begins what was found, and copies what others leave of its chunks.
func (y *relay) start(ctx context.Context) error {
	y.live.add(y)
	y.ctx, y.stop = context.WithCancelCause(ctx)
	err := y.begin(y.ctx)
	if err == nil && y.left.Load() > 0 {
		return y.engine.share(ctx, y)
	}
	return y.end(ctx, err)
}

// begin makes the sink ready, and copies what is not worth sharing out.
func (y *relay) begin(ctx context.Context) error {
	y.count(y.moved.Load() + max(y.what.size, 0))
	var err error
	if y.need, err = y.to.begin(ctx, y.what); err != nil {
		return err
	}
	y.begun = true
	y.countMissing()
	y.lendBuffers()
	if !y.what.ranges || y.what.size < 0 {
		size, err := y.copyRange(ctx, chunk{0, -1})
		if err != nil {
			return err
		}
		return y.complete(ctx, size)
	}
	y.cut = y.cutterOf(y.need.extents)
	switch n := y.cut.count(); n {
	case 0:
	case 1:
		c, _ := y.cut.next()
		if err := y.copyChunk(ctx, c); err != nil {
			return err
		}
	default:
		y.left.Store(n)
		return nil
	}
	return y.complete(ctx, y.what.size)
}

// lendBuffers takes the run's buffers, or makes larger ones where a chunk has to be gathered whole.
func (y *relay) lendBuffers() {
	if y.buffers = y.driver; y.need.chunk > y.chunk {
		y.own = newPreadDriver(y.need.chunk, true)
		y.buffers = y.own
		if local, ok := y.from.(*localSource); ok {
			local.foreign = true
		}
	}
}

// countMissing leaves out what an earlier run has copied, which the sink has told the progress of.
func (y *relay) countMissing() {
	if !y.what.ranges {
		return
	}
	y.counted = y.moved.Load()
	for _, e := range y.need.extents {
		y.counted += e.end - e.off
	}
}

// count tells the progress that n bytes are known of this file.
func (y *relay) count(n int64) {
	y.Progress.Grow(0, n-y.counted)
	y.counted = n
}

func (y *relay) complete(ctx context.Context, size int64) error {
	if err := y.from.unchanged(ctx); err != nil {
		return err
	}
	var err error
	y.kept, err = y.to.commit(ctx, size)
	return err
}

// chunkJob copies one chunk; the one that is done last completes the file.
func (y *relay) chunkJob(ctx context.Context, c chunk) error {
	last, err := y.do(ctx, func() error {
		err := y.copyChunk(limiter.SameWorker(y.ctx, ctx), c)
		if err == nil {
			return nil
		}
		// Those that wait for their turn behind this one would wait for ever. All then fail with the first failure.
		y.stop(err)
		return context.Cause(y.ctx)
	})
	if !last {
		return err
	}
	if err == nil {
		err = y.complete(ctx, y.what.size)
	}
	return y.end(ctx, err)
}

// storeCopier is a sink whose store may copy chunks itself.
type storeCopier interface {
	copiesItself() bool
	copyPart(ctx context.Context, c chunk) error
}

// copyChunk does not know its mode.
func (y *relay) copyChunk(ctx context.Context, c chunk) error {
	if err := y.wait(ctx, c.n); err != nil {
		return err
	}
	if to, ok := y.to.(storeCopier); ok && to.copiesItself() {
		err := to.copyPart(ctx, c)
		if err == nil {
			y.moved.Add(c.n)
			y.Progress.AddBytes(c.n)
		}
		return err
	}
	_, err := y.copyRange(ctx, c)
	return err
}

// copyRange moves the bytes of c, piece by piece, and returns how many they were.
func (y *relay) copyRange(ctx context.Context, c chunk) (int64, error) {
	in := y.from.read(ctx, c)
	defer func() { _ = in.Close() }()
	buf := y.buffers.buffer()
	defer y.buffers.release(buf)
	for off := c.off; ; {
		n, err := y.fill(in, buf)
		if n > 0 {
			if e := y.movePiece(ctx, buf[:n], off, c.n < 0); e != nil {
				return 0, e
			}
			off += int64(n)
		}
		switch {
		case err == io.EOF:
			return off - c.off, nil
		case err != nil:
			return 0, err
		}
	}
}

// How long a piece may gather. What a slow connection has brought is then written and noted: a run that is killed loses no
// more than that. What is hardly worth the trouble of that waits longer.
const (
	patience     = 5 * time.Millisecond
	worthWriting = 32 * kib
	mostPatience = 200 * time.Millisecond
)

// fill reads until buf is full, or until it has held something for long enough.
func (y *relay) fill(in io.Reader, buf []byte) (n int, err error) {
	first := time.Time{}
	for n < len(buf) && err == nil {
		var more int
		more, err = in.Read(buf[n:])
		if n += more; y.need.whole || n == 0 {
			continue
		}
		if now := time.Now(); first.IsZero() {
			first = now
		} else if age := now.Sub(first); age > mostPatience || age > patience && n >= worthWriting {
			break
		}
	}
	return n, err
}

// movePiece writes what was read. late says that nobody could wait for its limits before it came.
func (y *relay) movePiece(ctx context.Context, p []byte, off int64, late bool) error {
	if late {
		if err := y.wait(ctx, int64(len(p))); err != nil {
			return err
		}
	}
	if err := y.to.write(ctx, p, off); err != nil {
		return err
	}
	moved := y.moved.Add(int64(len(p)))
	if y.what.size < 0 {
		y.count(moved)
	}
	y.Progress.AddBytes(int64(len(p)))
	return nil
}

// end is the last of a file, or of an attempt. The error returned is one that ends the run.
func (y *relay) end(ctx context.Context, err error) error {
	y.live.remove(y)
	y.free()
	if err != nil && ctx.Err() == nil {
		if again, e := y.startOver(err); again || e != nil {
			return e
		}
	}
	defer y.from.close()
	switch {
	case err != nil:
		y.leave(!spoiled(err), ctx.Err() != nil)
		return y.failed(ctx, y.src, err, y.begun && !errors.As(err, new(*outputError)))
	case y.kept:
		y.Progress.ItemSkipped()
	default:
		y.done(y.src, y.dst)
	}
	return nil
}

// startOver begins the file again if that may help against err. It is then a job for later.
func (y *relay) startOver(err error) (bool, error) {
	var e *startOverError
	if !errors.As(err, &e) || y.restarts == maxRestarts || !y.restartable() {
		return false, nil
	}
	y.restarts++
	y.live.add(y) // until it starts
	y.Log.Warn("starting over", "item", y.src, "reason", e.reason)
	y.failure.Store(nil)
	y.engine.later(y.openAndStart)
	return true, nil
}

// free gives back what an attempt has taken.
func (y *relay) free() {
	y.stop(nil)
	if y.own != nil {
		_ = y.own.close() // it only frees memory
		y.own = nil
	}
}

// restartable says whether nothing is left of what was written. A fifo that was opened stays open: its reader would take
// the end for that of the file.
func (y *relay) restartable() bool {
	if s, ok := y.to.(*inPlace); ok {
		return s.next == 0
	}
	return y.to.abort(false)
}

// abandon is the end of a file of which a cancelled run left chunks undone.
func (y *relay) abandon() {
	y.free()
	y.leave(true, true)
	y.from.close()
}

// leave ends a file that is not whole, and says what the next run will make of it where a user may expect something else.
// Of a run that was stopped, one expects that it can go on.
func (y *relay) leave(keep, stopped bool) {
	y.to.abort(keep)
	s, ok := y.to.(*localSink)
	switch {
	case !ok || !keep:
	case s.left && !stopped:
		y.Log.Warn("the same command goes on with what has arrived", "item", y.dst)
	case !s.left && y.what.id == nil && !y.NoResume && y.moved.Load() > networkPiece:
		y.Log.Warn("the same command begins anew: the server has no ranges, or does not tell versions apart", "item", y.dst)
	}
}

// spoiled says whether err makes what was written useless to a later run. What a broken connection has left is not.
func spoiled(err error) bool {
	return errors.As(err, new(*startOverError)) || errors.As(err, new(*ChangedError)) ||
		errors.As(err, new(*VerifyError)) || errors.As(err, new(*DigestError))
}

// outputError is a failure of what the run writes to and cannot do without.
type outputError struct{ err error }

func (e *outputError) Error() string { return fmt.Sprintf("cannot write the output: %v", e.err) }
func (e *outputError) Unwrap() error { return e.err }

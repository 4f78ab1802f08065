package copy

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"pace/limiter/progress"
)

// verifyPair is two files of the same size whose bytes are compared, chunk by chunk, by many workers.
type verifyPair struct {
	*verifier
	verifyEntry
	off  int64        // where the next chunk begins; the feed's alone
	left atomic.Int64 // chunks that are not compared yet

	opening  sync.Once
	in, out  *os.File
	openErr  error       // why they could not be opened
	settled  atomic.Bool // the other chunks change nothing any more
	mu       sync.Mutex
	err      error // the first; guarded by mu
	differs  bool  // guarded by mu
	stopping bool  // the run ends before the pair does; guarded by mu
}

func newVerifyPair(v *verifier, e verifyEntry) *verifyPair {
	p := &verifyPair{verifier: v, verifyEntry: e}
	p.left.Store(max((e.src.Size()+v.ChunkSize-1)/v.ChunkSize, 1))
	e.dir.hold()
	return p
}

// cut returns the next chunk, if one is left. A file that says it is empty has one too: it may be a file of /proc.
func (p *verifyPair) cut(size int64) (chunk, bool) {
	total := p.src.Size()
	if p.off >= max(total, 1) {
		return chunk{}, false
	}
	c := chunk{p.off, min(size, total-p.off)}
	p.off = max(p.off+c.n, 1)
	return c, true
}

// abandon ends a pair of which chunks were never given out.
func (p *verifyPair) abandon() {
	total := max(p.src.Size(), 1)
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	if rest := (total - p.off + p.ChunkSize - 1) / p.ChunkSize; rest > 0 {
		_ = p.done(rest)
	}
}

// compareChunk is the job. It does not know its mode.
func (v *verifier) compareChunk(ctx context.Context, j verifyJob) error {
	p := j.pair
	if !p.settled.Load() {
		op := v.Progress.Begin()
		same, err := p.compareBytes(ctx, j.chunk)
		var did progress.Did
		if op.Traced() {
			did = progress.Did{Kind: "hash", Item: p.sourcePath(p.rel), Offset: j.chunk.off, Bytes: j.chunk.n, Err: err}
		}
		op.EndAs(ctx, did)
		p.note(ctx, same, err)
	}
	return p.done(1)
}

// note keeps what a chunk showed.
func (p *verifyPair) note(ctx context.Context, same bool, err error) {
	if same && err == nil {
		return
	}
	p.settled.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		p.stopping = true
	case err != nil && p.err == nil:
		p.err = err
	case err == nil:
		p.differs = true
	}
}

// compareBytes hashes a chunk of both files, piece by piece, so that one buffer serves both.
func (p *verifyPair) compareBytes(ctx context.Context, c chunk) (same bool, err error) {
	if p.opening.Do(p.open); p.openErr != nil {
		return false, p.openErr
	}
	t := p.tools.take()
	defer p.tools.put(t)
	t.a.Reset()
	t.b.Reset()
	for done := int64(0); done < c.n || c.n == 0; {
		piece := t.buf
		if c.n > 0 {
			piece = piece[:min(int64(len(piece)), c.n-done)]
		}
		n, err := readPiece(ctx, p.in, piece, c.off+done)
		if err != nil {
			return false, cannotRead(p.sourcePath(p.rel), err)
		}
		_, _ = t.a.Write(piece[:n])
		m, err := readPiece(ctx, p.out, piece, c.off+done)
		if err != nil {
			return false, cannotRead(p.destPath(p.rel), err)
		}
		_, _ = t.b.Write(piece[:m])
		p.Progress.AddBytes(int64(n))
		if n != m || n < len(piece) {
			if c.n > 0 { // both had more when they were opened
				path := p.sourcePath(p.rel)
				if m < n {
					path = p.destPath(p.rel)
				}
				return false, changedError(path)
			}
			return n == m && t.same(), nil
		}
		done += int64(n)
	}
	return t.same(), nil
}

// open opens both files, if they are still those that were found.
func (p *verifyPair) open() {
	var src, dst *os.Root
	if p.dir != nil {
		src, dst = p.dir.src, p.dir.dst
	}
	if p.in, p.openErr = openFound(src, p.name, p.sourcePath(p.rel), p.src); p.openErr == nil {
		p.out, p.openErr = openFound(dst, p.name, p.destPath(p.rel), p.dst)
	}
}

// openFound opens a file by its name in root, or by its path if root is nil. It must be what was found there before.
func openFound(root *os.Root, name, path string, found fs.FileInfo) (*os.File, error) {
	// In the meantime a fifo may stand there, which would wait for a writer.
	const flags = os.O_RDONLY | nonBlocking
	var f *os.File
	var err error
	if root == nil {
		f, err = os.OpenFile(path, flags, 0)
	} else {
		f, err = root.OpenFile(name, flags, 0)
	}
	if err != nil {
		return nil, cannotRead(path, err)
	}
	if err := stillThe(f, found, path); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// stillThe returns an error if f is not the file that was found, as it was.
func stillThe(f *os.File, was fs.FileInfo, path string) error {
	now, err := f.Stat()
	if err != nil {
		return cannotRead(path, err)
	}
	if !os.SameFile(now, was) || now.Size() != was.Size() || !now.ModTime().Equal(was.ModTime()) ||
		!changeTime(now).Equal(changeTime(was)) {
		return changedError(path)
	}
	return nil
}

// done says that n chunks are through. After the last, the pair is. Its error is one that ends the run.
func (p *verifyPair) done(n int64) error {
	if p.left.Add(-n) > 0 {
		return nil
	}
	defer p.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return nil
	}
	if p.err == nil {
		p.err = firstError(stillThe(p.in, p.src, p.sourcePath(p.rel)), stillThe(p.out, p.dst, p.destPath(p.rel)))
	}
	switch {
	case p.err != nil && p.dir == nil && p.openErr != nil:
		p.Progress.ItemFailed(p.sourcePath(p.rel), p.err)
		return p.err // the only item cannot start
	case p.err != nil:
		p.failed(p.sourcePath(p.rel), p.err)
	case p.differs:
		p.differ(p.difference(p.verifyEntry, DifferenceContent, "content"))
	case p.Archive:
		p.settle(p.verifyEntry, attributesThatDiffer(p.in, p.out))
	default:
		p.settle(p.verifyEntry, nil)
	}
	return nil
}

func (p *verifyPair) close() {
	for _, f := range []*os.File{p.in, p.out} {
		if f != nil {
			_ = f.Close()
		}
	}
	p.dir.release()
}

func cannotRead(path string, err error) error {
	return fmt.Errorf("cannot read %s: %w", path, because(err))
}

func changedError(path string) error { return fmt.Errorf("%s changed while it was read", path) }

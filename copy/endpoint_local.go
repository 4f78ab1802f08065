package copy

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"

	"pace/limiter/progress"
)

// localSource is a regular file of this machine.
type localSource struct {
	*run
	shown string
	file  *os.File // may be open already
	meta  meta
	// foreign says that it is read into memory that the driver has not lent.
	foreign bool
}

func (s *localSource) open(context.Context) (found, error) {
	var err error
	s.foreign = false
	if s.file == nil {
		if s.file, err = os.Open(s.shown); err != nil {
			return found{}, fmt.Errorf("cannot read %s: %w", s.shown, because(err))
		}
	}
	if s.meta, err = statFile(s.file); err != nil {
		return found{}, fmt.Errorf("cannot read %s: %w", s.shown, because(err))
	}
	if !s.meta.mode.IsRegular() {
		return found{}, &ChangedError{s.shown}
	}
	id := identityOf(s.meta)
	what := found{size: s.meta.size, ranges: true, mode: s.meta.perm(), mtime: s.meta.mtime, id: &id}
	if s.meta.size == 0 || sizeUnsure(s.meta) {
		what.size, what.ranges = -1, false
	}
	return what, nil
}

func (s *localSource) read(ctx context.Context, c chunk) io.ReadCloser {
	return &localReader{source: s, ctx: ctx, off: c.off, left: c.n}
}

func (s *localSource) unchanged(context.Context) error {
	now, err := statFile(s.file)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", s.shown, because(err))
	}
	if !s.meta.unchanged(now) {
		return &ChangedError{s.shown}
	}
	return nil
}

// abandon closes a file that was opened for a job that is not done.
func (s *localSource) abandon() { s.close() }

func (s *localSource) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

// localReader reads into lent buffers only, as the driver wants it, unless its source says otherwise.
type localReader struct {
	source *localSource
	ctx    context.Context
	off    int64
	left   int64 // below zero: up to the end
}

func (l *localReader) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	if l.left > 0 {
		p = p[:min(int64(len(p)), l.left)]
	}
	lent := p
	if l.source.foreign {
		buf := l.source.driver.buffer()
		defer l.source.driver.release(buf)
		lent = buf[:min(len(buf), len(p))]
	}
	op := l.source.Progress.Begin()
	n, err := readFull(l.ctx, l.source.driver, l.source.file, lent, l.off)
	op.EndAs(l.ctx, progress.Did{Kind: "read", Item: l.source.shown, Offset: l.off, Bytes: int64(n), Err: err})
	if l.source.foreign {
		copy(p, lent[:n])
		p = p[:len(lent)]
	}
	l.off += int64(n)
	switch {
	case err != nil:
		return n, fmt.Errorf("cannot read %s: %w", l.source.shown, err)
	case l.left > 0 && n < len(p):
		return n, &ChangedError{l.source.shown}
	case n == 0:
		return 0, io.EOF
	}
	l.left = max(l.left-int64(n), -1)
	return n, nil
}

func (l *localReader) Close() error { return nil }

// localSink is a file of this machine: it goes by way of a part file, with a journal where the source can be recognised.
type localSink struct {
	*run
	src  string // for messages
	path string
	// parent opens the place of a file in a tree, as often as it is asked; nil for a file of its own.
	parent func() (place, error)

	in   *incoming // nil when none is begun
	left bool      // one was, and a later run can go on with it

	written *writtenSums // to verify it
}

// metaOfFound returns what a copy is given of its source. It is no file of this machine, so it is like none of them.
func metaOfFound(what found) meta {
	return meta{
		mode: what.mode, size: max(what.size, 0), blocks: -1, mtime: what.mtime, atime: what.mtime,
		dev: math.MaxUint64, ino: math.MaxUint64,
	}
}

func (s *localSink) begin(ctx context.Context, what found) (need, error) {
	to, err := s.open()
	if err != nil {
		return need{}, err
	}
	s.in = &incoming{run: s.run, to: to, given: to.dir, below: s.parent != nil, meta: metaOfFound(what)}
	if err := s.beginPart(ctx, what); err != nil {
		return need{}, err
	}
	return need{extents: s.in.extents}, nil
}

func (s *localSink) open() (place, error) {
	if s.parent != nil {
		return s.parent()
	}
	to, err := openParent(s.path)
	if err != nil {
		err = fmt.Errorf("cannot create %s: %w", s.path, because(err))
	}
	return to, err
}

func (s *localSink) beginPart(ctx context.Context, what found) error {
	f := s.in
	var err error
	if f.part, err = openPart(ctx, f.to, f.meta); err != nil {
		return err
	}
	f.out = f.part.f
	f.extents = wholeOf(what)
	all := f.dataSize()
	if what.id != nil && what.ranges && what.size > 0 {
		err = f.resume(ctx, *what.id)
	} else {
		err = f.startOver()
	}
	s.written = &writtenSums{}
	if err != nil || what.size <= 0 {
		return err
	}
	return f.makeRoom(ctx, all)
}

func (s *localSink) write(ctx context.Context, p []byte, off int64) error {
	f := s.in
	if err := f.writePart(ctx, p, off); err != nil {
		return err
	}
	if f.journal == nil && !s.Verify {
		return nil
	}
	if s.Verify {
		s.written.add(s.Hash, p, off)
	}
	if f.journal == nil {
		return nil
	}
	return f.note(rangeOf(p, off))
}

func (s *localSink) commit(ctx context.Context, size int64) (bool, error) {
	f := s.in
	if f.meta.size != size || s.Sparse == SparseAlways { // its end may be a hole
		if err := f.out.Truncate(size); err != nil {
			return false, f.roomError(because(err))
		}
	}
	if err := s.settle(ctx); err != nil {
		return false, err
	}
	kept, err := f.finish()
	if err == nil {
		_ = f.given.close()
		s.in = nil
	}
	return kept, err
}

// settle does what comes between the data and the name.
func (s *localSink) settle(ctx context.Context) error {
	f := s.in
	if err := s.verify(ctx); err != nil {
		return err
	}
	if err := f.expect(ctx, s.src); err != nil {
		return err
	}
	if err := f.keep(f.out, nil, s.src, f.meta); err != nil {
		return err
	}
	if s.Fsync {
		if err := f.out.Sync(); err != nil {
			return f.writeError(err)
		}
	}
	return context.Cause(ctx)
}

// verify reads back what was written and compares it with what has arrived. Of what an earlier run has written, nobody has
// any other sums than those of its journal.
func (s *localSink) verify(ctx context.Context) error {
	f := s.in
	if !s.Verify {
		return nil
	}
	if err := f.out.Sync(); err != nil {
		return f.writeError(err)
	}
	forget(f.out)
	read := func(p []byte, off int64) (int, error) { return pread(f.out, p, off) }
	kept, err := rehash(ctx, read, f.had)
	if err != nil {
		return err
	}
	same, err := s.written.holds(ctx, s.Hash, read)
	if err == nil && (!same || len(kept) < len(f.had)) {
		err = &VerifyError{Source: s.src, Dest: f.to.shown}
	}
	return err
}

func (s *localSink) abort(keep bool) bool {
	if f := s.in; f != nil {
		s.left = keep && f.worthKeeping()
		f.leave(s.left)
		_ = f.given.close()
		s.in = nil
	}
	return true
}

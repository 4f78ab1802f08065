package copy

import (
	"context"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"
)

// ordered is a sink that takes bytes in their order only, such as a pipe. No more memory is needed than a chunk a worker.
type ordered struct {
	*run
	src   string // for messages
	chunk int64
	out   io.Writer
	sum   hash.Hash // of what was written, if a digest is expected
	*turns
}

func newOrdered(r *run, src string, chunk int64, out io.Writer) *ordered {
	return &ordered{run: r, src: src, chunk: chunk, out: out, turns: newTurns()}
}

func (s *ordered) begin(_ context.Context, what found) (need, error) {
	s.next = 0
	if s.Expect != nil {
		s.sum = s.Expect.Hash.New()
	}
	return need{extents: wholeOf(what), chunk: s.chunk, whole: true}, nil
}

func (s *ordered) write(ctx context.Context, p []byte, off int64) error {
	return s.take(ctx, off, int64(len(p)), func() error {
		if _, err := s.out.Write(p); err != nil {
			return &outputError{err}
		}
		if s.sum != nil {
			_, _ = s.sum.Write(p) // never fails
		}
		return nil
	})
}

func (s *ordered) commit(context.Context, int64) (bool, error) {
	if s.sum == nil {
		return false, nil
	}
	return false, s.Expect.matches(s.src, s.sum)
}

func (s *ordered) abort(bool) bool { return s.next == 0 }

// inPlace is an ordered sink that is a device or fifo, written as it stands.
type inPlace struct {
	*ordered
	path string
	mode fs.FileMode
	file *os.File
}

func (s *inPlace) begin(ctx context.Context, what found) (need, error) {
	if s.file == nil {
		f, err := openInPlace(ctx, s.path, s.mode)
		if err != nil {
			return need{}, fmt.Errorf("cannot write %s: %w", s.path, because(err))
		}
		s.file, s.out = f, f
	}
	return s.ordered.begin(ctx, what)
}

func (s *inPlace) write(ctx context.Context, p []byte, off int64) error {
	// Not all files have deadlines; those without don't wait.
	stop := context.AfterFunc(ctx, func() { _ = s.file.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := s.ordered.write(ctx, p, off); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("cannot write %s: %w", s.path, because(err))
	}
	return nil
}

func (s *inPlace) commit(ctx context.Context, size int64) (bool, error) {
	err := s.file.Close()
	s.file = nil
	if err != nil {
		return false, fmt.Errorf("cannot write %s: %w", s.path, because(err))
	}
	return s.ordered.commit(ctx, size)
}

func (s *inPlace) abort(keep bool) bool {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
	return s.ordered.abort(keep)
}

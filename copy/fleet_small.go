package copy

import (
	"context"
	"errors"
	"fmt"
	"os"

	"pace/limiter/progress"
)

// fleetSmall is a file that one worker of a fleet copies alone. Each attempt has a part of its own: one that comes too late
// replaces whole files by whole files of the same bytes.
type fleetSmall struct {
	ground *localGround
	rel    string
	from   source
	fence  func() error

	in      *incoming // nil when none is begun
	written *writtenSums
}

func (s *fleetSmall) begin(ctx context.Context, what found) (need, error) {
	op := s.ground.Progress.Begin()
	n, err := s.create(ctx, what)
	op.EndAs(ctx, progress.Did{Kind: "create", Item: s.ground.shown(s.rel), Err: err})
	return n, err
}

func (s *fleetSmall) create(ctx context.Context, what found) (need, error) {
	to, err := s.ground.place(s.rel)
	if err != nil {
		return need{}, err
	}
	in, m := localFile(s.from, what)
	f := &incoming{run: s.ground.run, to: to, given: to.dir, below: true, meta: m}
	if err := s.ground.newPart(f); err != nil {
		_ = to.dir.close()
		return need{}, err
	}
	s.in, s.written = f, &writtenSums{}
	f.extents = wholeOf(what)
	if what.size <= 0 {
		return need{}, nil
	}
	if in != nil && s.ground.Sparse != SparseNever {
		if f.extents, err = dataExtents(in, m); err != nil {
			return need{}, fmt.Errorf("cannot read %s: %w", s.ground.shown(s.rel), err)
		}
	}
	return need{extents: f.extents}, f.makeRoom(ctx, f.dataSize())
}

// newPart makes the part of one attempt at a file.
func (g *localGround) newPart(f *incoming) error {
	name := g.partOf(f.to.name, fmt.Sprintf("-%s%x", g.me, g.tries.Add(1)))
	out, err := f.to.dir.create(name, 0o600)
	if err != nil {
		return fmt.Errorf("cannot create %s: %w", f.to.shown, f.to.dir.noInode(f.to.shown, because(err)))
	}
	f.out, f.part = out, &part{out, f.to.dir, name}
	return nil
}

func (s *fleetSmall) write(ctx context.Context, p []byte, off int64) error {
	if err := s.fence(); err != nil {
		return err
	}
	if s.ground.Verify {
		s.written.add(s.ground.Hash, p, off)
	}
	return s.in.writeCounted(ctx, p, off)
}

func (s *fleetSmall) commit(ctx context.Context, size int64) (bool, error) {
	op := s.ground.Progress.Begin()
	kept, err := s.finish(ctx, size)
	op.EndAs(ctx, progress.Did{Kind: "finish", Item: s.ground.shown(s.rel), Err: err})
	return kept, err
}

func (s *fleetSmall) finish(ctx context.Context, size int64) (bool, error) {
	f := s.in
	if f.meta.size != size || s.ground.Sparse == SparseAlways {
		if err := f.out.Truncate(size); err != nil {
			return false, f.roomError(because(err))
		}
	}
	if s.ground.Verify {
		if err := verifyWritten(ctx, f, s.written); err != nil {
			return false, err
		}
	}
	in, _ := localFile(s.from, found{})
	if err := s.ground.keepFile(f, in, f.meta); err != nil {
		return false, err
	}
	if err := s.fence(); err != nil {
		return false, err
	}
	kept, err := f.finish()
	if err == nil {
		_ = f.given.close()
		s.in = nil
	}
	return kept, err
}

func (s *fleetSmall) abort(bool) bool {
	if f := s.in; f != nil {
		f.leave(false)
		_ = f.given.close()
		s.in = nil
	}
	return true
}

// verifyWritten reads back what was written, from the device as far as the system lets go of what it remembers.
func verifyWritten(ctx context.Context, f *incoming, sums *writtenSums) error {
	if err := f.out.Sync(); err != nil {
		return f.writeError(err)
	}
	forget(f.out)
	same, err := sums.holds(ctx, f.Hash, func(p []byte, off int64) (int, error) { return pread(f.out, p, off) })
	if err == nil && !same {
		err = &VerifyError{Source: "its source", Dest: f.to.shown}
	}
	return err
}

// keepFile gives a file all that it has besides its bytes.
func (g *localGround) keepFile(f *incoming, in *os.File, m meta) error {
	g.warnOfLinks(f.to.shown, m)
	if err := f.keep(f.out, in, f.to.shown, m); err != nil {
		return err
	}
	if g.Fsync || !syncsAll {
		if err := f.out.Sync(); err != nil {
			return f.writeError(err)
		}
	}
	return nil
}

func (g *localGround) warnOfLinks(shown string, m meta) {
	if g.Archive && m.nlink > 1 {
		g.warn("hard links", shown, errNoLinks)
	}
}

var errNoLinks = errors.New("each name is copied by whoever comes to it")

package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"pace/limiter/progress"
)

// errWhole says that a file has its name already, so that nothing is left to write or to commit.
var errWhole = errors.New("the file is there")

// fleetLarge is a file that the workers of a fleet copy together. Its part is never truncated: a worker that was stopped,
// and wakes up late, would destroy what others have written since.
type fleetLarge struct {
	ground *localGround
	rel    string
	from   source

	in *incoming // nil before it is attached

	mu      sync.Mutex
	written *writtenSums // since the last sync; guarded by mu
}

func (s *fleetLarge) begin(ctx context.Context, what found, ask int64) (string, int64, error) {
	to, err := s.ground.place(s.rel)
	if err != nil {
		return "", 0, err
	}
	in, m := localFile(s.from, what)
	f := &incoming{run: s.ground.run, to: to, given: to.dir, below: true, meta: m}
	name := s.ground.partOf(to.name, "")
	out, err := openShared(to, name, true)
	if err != nil {
		err = fmt.Errorf("cannot create %s: %w", to.shown, to.dir.noInode(to.shown, because(err)))
		_ = to.dir.close()
		return "", 0, err
	}
	f.out, f.part = out, &part{out, to.dir, name}
	s.in, s.written = f, &writtenSums{}
	if f.extents = wholeOf(what); in != nil && s.ground.Sparse != SparseNever {
		if f.extents, err = dataExtents(in, m); err != nil {
			return "", 0, fmt.Errorf("cannot read %s: %w", s.ground.shown(s.rel), err)
		}
	}
	return name, ask, f.makeRoom(ctx, f.dataSize())
}

func (s *fleetLarge) attach(_ context.Context, token string, what found) (bool, error) {
	to, err := s.ground.place(s.rel)
	if err != nil {
		return false, err
	}
	_, m := localFile(s.from, what)
	f := &incoming{run: s.ground.run, to: to, given: to.dir, below: true, meta: m}
	f.out, err = openShared(to, token, false)
	if err == nil {
		f.part = &part{f.out, to.dir, token}
		s.in, s.written = f, &writtenSums{}
		return false, nil
	}
	if errors.Is(err, fs.ErrNotExist) && (isCopy(to, what) || s.ground.NoClobber && to.dir.has(to.name)) {
		err = errWhole
	} else {
		err = fmt.Errorf("cannot write %s: its part file: %w", to.shown, because(err))
	}
	_ = to.dir.close()
	return false, err
}

// isCopy says whether what has the name of to may be what was to be copied there, by its size and, as far as each file
// system can tell it, its time.
func isCopy(to place, what found) bool {
	now, err := to.dir.lstat(to.name)
	return err == nil && now.mode.IsRegular() && now.size == what.size && now.mtime.Sub(what.mtime).Abs() < 2*time.Second
}

func (s *fleetLarge) write(ctx context.Context, p []byte, off int64) error {
	if err := s.in.writeCounted(ctx, p, off); err != nil || !s.ground.Verify {
		return err
	}
	sum := sumAt(s.ground.Hash, p, off)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written.ranges = append(s.written.ranges, sum) // not before it is written: a sync may be just looking
	return nil
}

func (s *fleetLarge) sync(ctx context.Context) error {
	s.mu.Lock()
	sums := s.written
	s.written = &writtenSums{}
	s.mu.Unlock()
	op := s.ground.Progress.Begin()
	var err error
	if s.ground.Verify {
		err = verifyWritten(ctx, s.in, sums)
	} else if err = dataSync(s.in.out); err != nil {
		err = s.in.writeError(err)
	}
	op.EndAs(ctx, progress.Did{Kind: "sync", Item: s.in.to.shown, Err: err})
	return err
}

// writeCounted is writePart as an operation that the progress knows of.
func (f *incoming) writeCounted(ctx context.Context, p []byte, off int64) error {
	op := f.Progress.Begin()
	err := f.writePart(ctx, p, off)
	op.EndAs(ctx, progress.Did{Kind: "write", Item: f.to.shown, Offset: off, Bytes: int64(len(p)), Err: err})
	return err
}

func (s *fleetLarge) commit(ctx context.Context, what found, fence func() error) (bool, error) {
	f := s.in
	now, err := statFile(f.out)
	if err == nil && now.size != what.size {
		err = fmt.Errorf("its part file has %d bytes and not %d", now.size, what.size)
	}
	if err != nil {
		return false, fmt.Errorf("cannot create %s: %w", f.to.shown, because(err))
	}
	in, m := localFile(s.from, what)
	if err := s.ground.keepFile(f, in, m); err != nil {
		return false, err
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if err := fence(); err != nil {
		return false, err
	}
	kept, err := f.finish()
	if errors.Is(err, fs.ErrNotExist) && isCopy(f.to, what) {
		return false, nil // another worker was faster
	}
	return kept, err
}

func (s *fleetLarge) repair() {
	f := s.in
	if f == nil {
		return
	}
	open, err := statFile(f.out)
	named, namedErr := f.to.dir.lstat(f.to.name)
	in, m := localFile(s.from, found{})
	switch {
	case err == nil && namedErr == nil && sameFile(open, named):
		err = s.ground.keepFile(f, in, m)
	default: // it may be about to get its name
		err = setTimes(f.out, m)
	}
	if err != nil {
		s.ground.Log.Warn("a late write has changed the times of a file", "item", f.to.shown, "error", err)
	}
}

func (s *fleetLarge) abort(_ context.Context, token string) {
	if to, err := s.ground.place(s.rel); err == nil {
		_ = to.dir.remove(token)
		_ = to.dir.close()
	}
}

func (s *fleetLarge) close() {
	if f := s.in; f != nil {
		if f.part != nil {
			f.part.close()
		}
		_ = f.given.close()
		s.in = nil
	}
}

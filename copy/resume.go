package copy

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
)

// resume takes over what an earlier run has copied, and begins a journal where that is worth it: a file of one chunk is
// copied again as a whole. src is what the source is known by.
func (f *incoming) resume(ctx context.Context, src identity) error {
	m, err := statFile(f.part.f)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", f.part.name, because(err))
	}
	path := f.journalPath()
	if f.NoResume || m.size == 0 && f.dataSize() <= f.chunk {
		if m.size > 0 {
			f.Log.Info("starting over", "item", f.to.shown, "reason", "--no-resume")
		}
		return f.startOver()
	}
	shown := beside(f.to.shown, filepath.Base(path))
	journal, state, err := openJournal(path, shown, src, f.part.f)
	if err != nil {
		return err
	}
	f.journal = journal
	if len(state.done) > 0 && !state.trusted {
		if state.done, err = f.checkAgain(ctx, state.done); err != nil {
			return err
		}
		state.why = "nothing of what was copied before is sure to be there still"
	}
	if len(state.done) == 0 {
		if state.why != "" {
			f.Log.Warn("starting over", "item", f.to.shown, "reason", state.why)
		}
		return f.emptyPart()
	}
	f.noted.Store(true)
	f.had = state.done
	had := f.dataSize()
	f.extents = missing(f.extents, state.done)
	f.Progress.Grow(0, f.dataSize()-had)
	if f.Sparse == SparseAlways {
		// A chunk that was not noted may have been written, and zeros will not be.
		for _, e := range f.extents {
			if err := punch(f.out, e); err != nil {
				return fmt.Errorf("cannot make a hole in %s: %w", f.to.shown, err)
			}
		}
	}
	f.Log.Warn("resuming", "item", f.to.shown, "done_bytes", had-f.dataSize(), "left_bytes", f.dataSize())
	return nil
}

// checkAgain hashes the ranges of a journal that may have outlived their data.
func (f *incoming) checkAgain(ctx context.Context, done []hashedRange) ([]hashedRange, error) {
	read := func(p []byte, off int64) (int, error) { return pread(f.part.f, p, off) }
	kept, err := rehash(ctx, read, done)
	if err != nil {
		return nil, err
	}
	if err := f.journal.restart(kept); err != nil {
		return nil, err
	}
	return kept, nil
}

// startOver removes what an earlier run has left, the journal first: it must not tell of what is no longer there.
func (f *incoming) startOver() error {
	if err := f.dropJournal(); err != nil {
		return err
	}
	return f.emptyPart()
}

// dropJournal removes the journal of an earlier run.
func (f *incoming) dropJournal() error {
	if err := removeJournal(f.journalPath()); err != nil {
		return fmt.Errorf("cannot remove the journal of %s: %w", f.to.shown, because(err))
	}
	return nil
}

func (f *incoming) emptyPart() error {
	if err := f.part.f.Truncate(0); err != nil {
		return fmt.Errorf("cannot create %s: %w", f.to.shown, because(err))
	}
	return nil
}

// syncEvery is how many bytes are written, with --fsync, before they are brought to the device and then noted: a power
// cut costs no more than these.
const syncEvery = 64 * mib

// notes are ranges that were written and are not on the device yet.
type notes struct {
	mu     sync.Mutex
	ranges []hashedRange
	bytes  int64
}

// note adds a range that was written to the journal. With Fsync it does so when the range is on the device.
func (f *incoming) note(r hashedRange) error {
	if !f.Fsync {
		f.noted.Store(true)
		return f.journal.add(r)
	}
	f.unsynced.mu.Lock()
	f.unsynced.ranges = append(f.unsynced.ranges, r)
	f.unsynced.bytes += r.n
	if f.unsynced.bytes < f.syncEvery {
		f.unsynced.mu.Unlock()
		return nil
	}
	ranges := f.unsynced.ranges
	f.unsynced.ranges, f.unsynced.bytes = nil, 0
	f.unsynced.mu.Unlock()
	return f.noteSynced(ranges)
}

func (f *incoming) noteSynced(ranges []hashedRange) error {
	if err := f.out.Sync(); err != nil {
		return f.writeError(err)
	}
	if !f.noted.Load() { // the names of the part and of its journal
		if err := f.to.dir.sync(f.to.shown); err != nil {
			return err
		}
	}
	for _, r := range ranges {
		if err := f.journal.add(r); err != nil {
			return err
		}
	}
	f.noted.Store(true)
	return f.journal.sync()
}

// journalPath is the path of the journal. In a tree, it goes by the open directory.
func (f *incoming) journalPath() string {
	hashed := f.part.name != partName(f.to.name, false)
	if f.node == nil && !f.below {
		return journalPath(f.to.shown, hashed)
	}
	return f.to.dir.pathOf(journalPath(f.to.name, hashed))
}

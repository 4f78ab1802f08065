package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
)

// incoming is a regular file at its destination until it has its final name: the part file, what is noted of it, and the
// space that it takes. It does not know where its bytes come from.
type incoming struct {
	*run
	to    place
	given *dir  // the folder of to, if it is open for this file alone
	node  *node // if it is in a tree
	below bool  // it is in a tree without nodes

	meta    meta // of the source
	out     *os.File
	part    *part // nil where the destination is written in place
	journal *journal
	noted   atomic.Bool // there is something in the journal

	unsynced notes
	extents  []extent      // that hold data, and were not copied by an earlier run
	had      []hashedRange // that an earlier run has copied
}

// extent is a range of bytes that holds data; what lies between extents reads as zeros.
type extent struct{ off, end int64 }

func (f *incoming) dataSize() int64 { return lengthOf(f.extents) }

func lengthOf(extents []extent) int64 {
	n := int64(0)
	for _, e := range extents {
		n += e.end - e.off
	}
	return n
}

// roomSlice bounds what is taken with one call: on tmpfs that is a tenth of a second, and it cannot be cancelled.
const roomSlice = 256 * mib

// makeRoom takes all space before the next byte is written, for all bytes less what an earlier run has taken. Parallel
// writes that make a file longer would wait for one another; into space that is there they do not, and a full disk is
// known now.
func (f *incoming) makeRoom(ctx context.Context, all int64) error {
	m, err := statFile(f.part.f)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", f.part.name, because(err))
	}
	need := all - max(m.blocks, 0)*512
	if free, ok := freeSpace(f.part.f); ok && need > free {
		return &SpaceError{Dest: f.to.shown, Need: need, Free: free}
	}
	if f.dataSize() > f.chunk && f.Sparse != SparseAlways {
		slices := cutter{extents: f.extents, size: roomSlice}
		for len(slices.extents) > 0 {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			c, _ := slices.next()
			if err := preallocate(f.part.f, extent{c.off, c.off + c.n}); err != nil {
				return f.roomError(err)
			}
		}
	}
	if err := f.part.f.Truncate(f.meta.size); err != nil {
		return f.roomError(because(err))
	}
	return nil
}

func (f *incoming) roomError(err error) error {
	if outOfSpace(err) {
		return &SpaceError{Dest: f.to.shown, Need: f.dataSize(), Free: -1}
	}
	return fmt.Errorf("cannot make room for %s: %w", f.to.shown, err)
}

// finish gives the part file its final name. kept says that there is a file of this name which is to stay: then the part is
// gone.
func (f *incoming) finish() (kept bool, err error) {
	err = f.part.commit(f.to, f.NoClobber)
	if f.NoClobber && errors.Is(err, fs.ErrExist) {
		f.discard()
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if f.journal != nil {
		if err := f.journal.remove(); err != nil {
			f.warn("its journal", f.to.shown, err)
		}
	}
	if f.Fsync { // the name, and that there is no journal any more
		if err := f.to.dir.sync(f.to.shown); err != nil {
			return false, err
		}
	}
	f.part.close()
	f.part = nil
	return false, nil
}

// leave closes the part file if there still is one. One that is not to be kept goes.
func (f *incoming) leave(keep bool) {
	switch {
	case f.part == nil:
	case keep:
		// What a stopped run has written is worth one more sync.
		if n := f.unsynced.ranges; len(n) > 0 {
			_ = f.noteSynced(n)
		}
		_ = f.journal.close()
		f.part.close()
		f.part = nil
	default:
		f.discard()
	}
}

func (f *incoming) discard() {
	if f.journal != nil {
		_ = f.journal.remove()
	}
	f.part.discard()
	f.part = nil
}

func (f *incoming) worthKeeping() bool {
	return f.journal != nil && (f.noted.Load() || len(f.unsynced.ranges) > 0)
}

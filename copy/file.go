package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
)

// file is one regular file on its way through a part file.
type file struct {
	*run
	from, to place // without a folder, from is opened by its path
	given    *dir  // the folder of to, if it is open for this file alone
	node     *node // if it is in a tree
	inPlace  fs.FileMode
	group    *linkGroup // if it has other names in the tree
	first    bool       // of the group

	in, out *os.File
	direct  *direct // nil for data that goes through the page cache

	inKernel atomic.Bool // chunks are copied by the kernel
	devices  devices
	notClone error // why the data could not be shared

	meta    meta
	part    *part // nil where the destination is written in place
	journal *journal
	noted   atomic.Bool // there is something in the journal

	unsynced notes
	taken    taking
	old      *meta // what it replaces in a tree
	begun    bool  // bytes may have moved
	skip     bool  // the destination is to stay as it is
	there    bool  // an earlier run has copied it whole
	doubtful bool  // it seems so, but the data may be lost
	current  bool  // the destination, which is to stay, is a copy of it: other names can be linked to it

	// Of a small file in a tree, which has no part file.
	piece    []byte // its data
	together bool   // the data moves with that of others
	holes    bool   // it moves by extents
	streams  bool   // its length is not known before
	unnamed  bool   // it could not get its name

	extents []extent // that hold data, and were not copied by an earlier run
	cut     cutter
	left    atomic.Int64 // chunks not done
	failure atomic.Pointer[error]
}

// extent is a range of bytes that holds data; what lies between extents reads as zeros.
type extent struct{ off, end int64 }

// start is the job that begins a file, and copies what others leave of its chunks.
func (f *file) start(ctx context.Context) error {
	f.live.add(f)
	err := f.begin(ctx)
	if err == nil && f.left.Load() > 0 {
		return f.engine.share(ctx, f)
	}
	return f.end(ctx, err)
}

// begin opens both ends and makes room, and copies what is not worth sharing out.
func (f *file) begin(ctx context.Context) error {
	if err := f.openSource(); err != nil {
		return err
	}
	if f.inPlace != 0 {
		return f.copyInPlace(ctx)
	}
	if done, err := f.decide(ctx); done || err != nil {
		return err
	}
	var err error
	if f.Archive {
		f.to.uid = f.meta.uid
	}
	if f.node != nil {
		if f.to.hashed, err = f.node.hashesPart(f.to.name); err != nil {
			return err
		}
	}
	if f.part, err = openPart(ctx, f.to, f.meta); err != nil {
		return err
	}
	f.out = f.part.f
	shared, err := f.share(f.out)
	if err != nil {
		return err
	}
	if shared {
		err = f.afterShare()
	} else if err = f.takeRoom(); err == nil {
		err = f.beginData(ctx)
	}
	if err != nil || f.left.Load() > 0 {
		return err
	}
	return f.complete(ctx)
}

// openSource opens the source, and takes what is said of it from what was opened.
func (f *file) openSource() error {
	if f.in == nil {
		var err error
		if f.from.dir != nil {
			f.in, err = f.from.dir.open(f.from.name)
		} else {
			f.in, err = os.Open(f.from.shown)
		}
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", f.from.shown, because(err))
		}
	}
	m, err := statFile(f.in)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", f.from.shown, because(err))
	}
	was := f.meta
	if !m.mode.IsRegular() || !sameFile(m, was) {
		return &ChangedError{f.from.shown}
	}
	f.Progress.Grow(0, m.size-was.size)
	f.meta = m
	return nil
}

// beginData finds what is to be copied and takes the room for it. A single chunk is copied at once.
func (f *file) beginData(ctx context.Context) error {
	if f.meta.size == 0 || sizeUnsure(f.meta) {
		// Files of /proc say that they are empty, and those of /sys that they fill a page.
		f.streams = true
		f.Progress.Grow(0, -f.meta.size)
		if err := f.startOver(); err != nil {
			return err
		}
		return f.streamToPart(ctx)
	}
	if err := f.findExtents(); err != nil {
		return err
	}
	f.Progress.Grow(0, f.dataSize()-f.meta.size)
	all := f.dataSize()
	if err := f.resume(ctx); err != nil {
		return err
	}
	if err := f.makeRoom(ctx, all); err != nil {
		return err
	}
	f.cut = cutter{extents: f.extents, size: f.chunk}
	f.begun = true
	if f.Direct {
		f.direct = f.openDirect()
	}
	f.beginInKernel(f.notClone)
	switch n := f.cut.count(); n {
	case 0:
		return nil
	case 1:
		c, _ := f.cut.next()
		return f.copyChunk(ctx, c)
	default:
		f.left.Store(n)
		return nil
	}
}

// findExtents finds what is to be copied.
func (f *file) findExtents() error {
	f.extents = []extent{{0, f.meta.size}}
	if f.Sparse == SparseNever {
		return nil
	}
	var err error
	if f.extents, err = dataExtents(f.in, f.meta); err != nil {
		return fmt.Errorf("cannot read %s: %w", f.from.shown, err)
	}
	return nil
}

func (f *file) dataSize() int64 {
	n := int64(0)
	for _, e := range f.extents {
		n += e.end - e.off
	}
	return n
}

// roomSlice bounds what is taken with one call: on tmpfs that is a tenth of a second, and it cannot be cancelled.
const roomSlice = 256 * mib

// makeRoom takes all space before the next byte is written, for all bytes less what an earlier run has taken. Parallel
// writes that make a file longer would wait for one another; into space that is there they do not, and a full disk is
// known now.
func (f *file) makeRoom(ctx context.Context, all int64) error {
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

func (f *file) roomError(err error) error {
	if outOfSpace(err) {
		return &SpaceError{Dest: f.to.shown, Need: f.dataSize(), Free: -1}
	}
	return fmt.Errorf("cannot make room for %s: %w", f.to.shown, err)
}

// unchanged returns an error if the source is no longer what it was when it was opened.
func (f *file) unchanged() error {
	now, err := statFile(f.in)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", f.from.shown, because(err))
	}
	if !f.meta.unchanged(now) {
		return &ChangedError{f.from.shown}
	}
	return nil
}

// complete brings the metadata to the part file, and gives it its final name.
func (f *file) complete(ctx context.Context) error {
	if f.part == nil {
		return nil
	}
	if err := f.settle(ctx); err != nil {
		return err
	}
	err := f.part.commit(f.to, f.NoClobber)
	if f.NoClobber && errors.Is(err, fs.ErrExist) {
		f.skip = true
		f.discard()
		return nil
	}
	if err != nil {
		return err
	}
	if f.journal != nil {
		if err := f.journal.remove(); err != nil {
			f.warn("its journal", f.to.shown, err)
		}
	}
	if f.Fsync { // the name, and that there is no journal any more
		if err := f.to.dir.sync(f.to.shown); err != nil {
			return err
		}
	}
	f.part.close()
	f.part = nil
	return nil
}

// settle does what comes between the data and the name. The data is compared before the times are kept, because an
// earlier run's files are known by them.
func (f *file) settle(ctx context.Context) error {
	if err := f.unchanged(); err != nil {
		return err
	}
	if f.Verify {
		if err := f.verify(ctx); err != nil {
			return err
		}
	}
	if err := f.keep(f.out, f.in, f.from.shown, f.meta); err != nil {
		return err
	}
	if f.Fsync {
		if err := f.out.Sync(); err != nil {
			return f.writeError(err)
		}
	}
	// The last moment at which a cancelled run has left nothing.
	return context.Cause(ctx)
}

// end is the last of a file. err is what became of it; the error returned is one that ends the run.
func (f *file) end(ctx context.Context, err error) error {
	f.live.remove(f)
	whole := err == nil && (!f.skip || f.current)
	f.release(err != nil && f.resumable(ctx, err))
	switch {
	case err != nil:
		f.giveRoomBack()
		err = f.failed(ctx, f.from.shown, err, f.begun || f.node != nil)
	case f.skip:
		f.Progress.ItemSkipped()
	case f.DryRun:
		f.tell(f.from.shown, f.to.shown)
	default:
		f.done(f.from.shown, f.to.shown)
	}
	if f.group != nil {
		f.group.settle(f, whole)
	}
	if f.node != nil {
		if e := f.node.release(ctx); err == nil {
			err = e
		}
	}
	return err
}

// resumable says whether what was copied is to be kept for the next run.
func (f *file) resumable(ctx context.Context, err error) bool {
	return f.worthKeeping() && (ctx.Err() != nil || noSpace(err))
}

// release closes everything. A part file that is not to be kept goes.
func (f *file) release(keep bool) {
	if f.in != nil {
		_ = f.in.Close()
	}
	if f.direct != nil {
		f.direct.close()
	}
	if f.given != nil {
		defer func() { _ = f.given.close() }()
	}
	if f.part == nil {
		return
	}
	if keep {
		// What a stopped run has written is worth one more sync.
		if n := f.unsynced.ranges; len(n) > 0 {
			_ = f.noteSynced(n)
		}
		_ = f.journal.close()
		f.part.close()
		f.part = nil
		return
	}
	f.discard()
}

func (f *file) discard() {
	if f.journal != nil {
		_ = f.journal.remove()
	}
	f.part.discard()
	f.part = nil
}

// abandon is the end of a file of which a cancelled run left chunks undone.
func (f *file) abandon() { f.release(f.worthKeeping()) }

func (f *file) worthKeeping() bool {
	return f.journal != nil && (f.noted.Load() || len(f.unsynced.ranges) > 0)
}

package copy

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
)

// file is one regular file on its way through a part file.
type file struct {
	incoming
	from    place // without a folder, it is opened by its path
	inPlace fs.FileMode
	group   *linkGroup // if it has other names in the tree
	first   bool       // of the group

	in     *os.File
	direct *direct // nil for data that goes through the page cache

	inKernel atomic.Bool // chunks are copied by the kernel
	devices  devices
	notClone error // why the data could not be shared

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

	fleet *fleetTogether // if it is a small file that a fleet copies, which is in no node

	portions
}

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
	if err := f.resume(ctx, identityOf(f.meta)); err != nil {
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
	kept, err := f.finish()
	f.skip = f.skip || kept
	return err
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
	if err := f.expect(ctx, f.from.shown); err != nil {
		return err
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
	if f.fleet != nil {
		return f.fleet.ended(ctx, f, err)
	}
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
	f.leave(keep)
}

// abandon is the end of a file of which a cancelled run left chunks undone.
func (f *file) abandon() { f.release(f.worthKeeping()) }

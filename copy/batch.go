package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"pace/limiter/progress"
)

const (
	batchLen  = 16      // files that are copied together
	probeSize = 4 * kib // bytes read of a file that says it is empty
)

// copyPortions is the job that copies entries of directories.
func (r *run) copyPortions(ctx context.Context, all []portion) error {
	b := newBatch(r)
	defer b.close()
	for len(all) > 0 {
		p := &all[0]
		if len(p.entries) == 0 {
			all = all[1:]
			if err := p.release(ctx); err != nil {
				return err
			}
			continue
		}
		if r.engine.hungry.Load() {
			all = r.shareOut(all)
			p = &all[0]
		}
		if ctx.Err() != nil {
			return cancelled(ctx)
		}
		e := p.entries[0]
		p.entries = p.entries[1:]
		if err := p.copyOne(ctx, b, e); err != nil {
			return err
		}
	}
	return b.flush(ctx)
}

func (n *node) copyOne(ctx context.Context, b *batch, e fs.DirEntry) error {
	switch {
	case n.leftOut(e.Name(), false):
		return nil
	case e.Type().IsRegular():
		return n.copyFile(ctx, b, e.Name())
	}
	return n.copyEntry(ctx, e.Name())
}

// shareOut hands half of what is left to a worker that has nothing to do, if there is one, and returns the rest.
func (r *run) shareOut(all []portion) []portion {
	first := &all[0]
	switch {
	case len(all) > 1:
		half := len(all) / 2
		if r.engine.offer(func(ctx context.Context) error { return r.copyPortions(ctx, all[half:]) }) {
			return all[:half:half]
		}
	case len(first.entries) > 1:
		half := len(first.entries) / 2
		theirs := []portion{{first.node, first.entries[half:]}}
		first.hold()
		if !r.engine.offer(func(ctx context.Context) error { return r.copyPortions(ctx, theirs) }) {
			first.holds.Add(-1)
			break
		}
		first.entries = first.entries[:half]
	}
	return all
}

// batch copies small files together. A mode whose operations are answered by someone else waits once for many files, not
// for each.
type batch struct {
	*run
	files []*file
	buf   []byte
	free  []byte // of buf
}

func newBatch(r *run) *batch { return &batch{run: r} }

// close gives everything back. Files that are still there are those of a run that was stopped.
func (b *batch) close() {
	for _, f := range b.files {
		f.dropSmall()
		f.release(false)
	}
	if b.buf != nil {
		b.driver.release(b.buf)
	}
}

// add begins f, a file of at most one chunk in whose way is nothing.
func (b *batch) add(ctx context.Context, f *file) error {
	if err := b.wait(ctx, f.meta.size); err != nil {
		return f.end(ctx, err) // also that of a fleet's limit, which needs its Redis
	}
	if b.buf == nil {
		b.buf = b.driver.buffer()
		b.free = b.buf
	}
	need := int(f.meta.size)
	if need == 0 {
		need = probeSize
	}
	if need > len(b.free) || len(b.files) == b.perBatch {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	ok, err := f.createSmall()
	if err != nil {
		return f.end(ctx, err)
	}
	if !ok {
		f.byPart()
		return nil
	}
	f.piece, b.free = b.free[:need:need], b.free[need:]
	b.files = append(b.files, f)
	if b.Rate != nil || b.IOPS != nil {
		return b.flush(ctx) // what was waited for is not kept waiting
	}
	return nil
}

// flush copies the files of the batch and ends them.
func (b *batch) flush(ctx context.Context) error {
	if len(b.files) == 0 {
		return nil
	}
	op := b.Progress.Begin()
	errs := make([]error, len(b.files))
	for i, f := range b.files {
		errs[i] = f.beginSmall()
	}
	b.move(ctx, errs)
	for i, f := range b.files {
		if errs[i] == nil {
			errs[i] = f.finishSmall(ctx)
		}
	}
	var did progress.Did
	if op.Traced() {
		did = b.did(errs)
	}
	op.EndAs(ctx, did)
	files := b.files
	b.files, b.free = b.files[len(b.files):], b.buf
	for i, f := range files {
		if err := f.endSmall(ctx, errs[i]); err != nil {
			b.files = files[i+1:]
			return err
		}
	}
	b.files = nil
	return nil
}

// did is what a flush was: the bytes are those of all files, the name is that of the first.
func (b *batch) did(errs []error) progress.Did {
	all := progress.Did{Kind: "files", Item: b.files[0].from.shown, Err: errors.Join(errs...)}
	for _, f := range b.files {
		all.Bytes += f.meta.size
	}
	return all
}

// move moves the data of all files that have some to be moved together.
func (b *batch) move(ctx context.Context, errs []error) {
	var of []int
	var all []transfer
	for i, f := range b.files {
		if errs[i] != nil || !f.together {
			continue
		}
		t := transfer{in: f.in, p: f.piece}
		if f.meta.size > 0 && b.Sparse != SparseAlways {
			t.out = f.out
		}
		of, all = append(of, i), append(all, t)
	}
	b.driver.moves(ctx, all)
	for k, t := range all {
		f := b.files[of[k]]
		if f.meta.size > 0 {
			errs[of[k]] = f.finishMove(ctx, t, f.out)
		} else {
			errs[of[k]] = f.probed(ctx, t)
		}
	}
}

// probed looks at what was read of a file that says it is empty. Files of /proc say so and are not.
func (f *file) probed(ctx context.Context, t transfer) error {
	if t.err != nil && again(ctx, t.err) {
		t.read, t.err = readFull(ctx, f.driver, t.in, t.p, t.off)
	}
	if t.err != nil {
		return fmt.Errorf("cannot read %s: %w", f.from.shown, t.err)
	}
	f.together, f.streams = false, t.read > 0
	return nil
}

// createSmall opens the destination of f: under its name where nobody looks, otherwise without a name. It returns false
// if f has to go through a part file.
func (f *file) createSmall() (bool, error) {
	var err error
	switch {
	case f.fleet != nil:
		err = f.fleet.create(f)
		return err == nil, err
	case f.node.hidden:
		f.out, err = f.to.dir.create(f.to.name, permBits(f.meta.mode.Perm()))
	default:
		f.out, err = f.to.dir.createNameless(0o600)
	}
	switch {
	case err == nil:
		return true, nil
	case f.node.hidden && errors.Is(err, fs.ErrExist):
		return false, f.collides()
	case f.node.hidden && outOfSpace(err):
		return false, f.writeError(err)
	case f.node.hidden:
		return false, fmt.Errorf("cannot create %s: %w", f.to.shown, err)
	}
	return false, nil // not every file system has such files; and openPart says what else is wrong
}

// beginSmall decides how the data of f moves.
func (f *file) beginSmall() error {
	f.begun = true
	if f.fleet != nil {
		if err := f.fleet.task.lease.Check(); err != nil {
			return err
		}
	}
	shared, err := f.share(f.out)
	if err != nil || shared {
		return err
	}
	if err := f.takeRoom(); err != nil {
		return err
	}
	if sizeUnsure(f.meta) && f.meta.size > 0 {
		f.Progress.Grow(0, -f.meta.size)
		f.streams = true
		return nil
	}
	if f.meta.size > 0 {
		if err := f.findExtents(); err != nil {
			return err
		}
		f.together = len(f.extents) == 1 && f.extents[0] == extent{0, f.meta.size}
		f.holes = !f.together
		return nil
	}
	f.together = true
	return nil
}

// finishSmall moves what did not move together, and brings the metadata and the name.
func (f *file) finishSmall(ctx context.Context) error {
	var err error
	switch {
	case f.streams:
		err = f.streamToPart(ctx)
	case f.holes:
		err = f.moveExtents(ctx)
	}
	if err == nil && f.Sparse == SparseAlways && !f.streams && f.meta.size > 0 {
		err = f.out.Truncate(f.meta.size) // the last block may be a hole
	}
	if err == nil {
		err = f.settle(ctx)
	}
	switch {
	case err != nil:
	case f.fleet != nil:
		err = f.fleet.name(f)
	case !f.node.hidden:
		// Someone may be faster, and is to be replaced or kept. Or there is no /proc.
		f.unnamed = f.to.dir.nameFile(f.out, f.to.name) != nil
	}
	return err
}

// moveExtents copies a small file that has holes.
func (f *file) moveExtents(ctx context.Context) error {
	for _, e := range f.extents {
		if err := f.move(ctx, f.piece, chunk{e.off, e.end - e.off}); err != nil {
			return err
		}
	}
	if err := f.out.Truncate(f.meta.size); err != nil {
		return f.roomError(because(err))
	}
	return nil
}

// endSmall closes f and ends it.
func (f *file) endSmall(ctx context.Context, err error) error {
	if err != nil {
		f.dropSmall()
		return f.end(ctx, err)
	}
	_ = f.out.Close()
	f.out = nil
	if f.unnamed {
		f.byPart()
		return nil
	}
	return f.end(ctx, nil)
}

// dropSmall closes what was begun, and removes it if it has a name.
func (f *file) dropSmall() {
	switch {
	case f.node != nil && f.node.hidden:
		(&part{f.out, f.to.dir, f.to.name}).discard()
	case f.part == nil: // else it goes when f is released
		_ = f.out.Close()
	}
}

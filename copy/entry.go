package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"pace/limiter/progress"
)

// copyEntry copies what is neither a directory nor a regular file. The error is one that ends the run.
func (n *node) copyEntry(ctx context.Context, name string) error {
	n.tree.Progress.Grow(1, 0)
	op := n.tree.Progress.Begin()
	var skipped bool
	var err error
	if n.tree.DryRun {
		skipped, err = n.drySpecial(name)
	} else {
		skipped, err = n.copySpecial(name)
	}
	var did progress.Did
	if op.Traced() {
		did = progress.Did{Kind: "entry", Item: n.from(name).shown, Err: err}
	}
	op.EndAs(ctx, did)
	return n.outcome(ctx, name, skipped, err)
}

// outcome counts what became of an entry.
func (n *node) outcome(ctx context.Context, name string, skipped bool, err error) error {
	from := n.from(name).shown
	switch {
	case err != nil:
		return n.tree.failed(ctx, from, err, true)
	case skipped:
		n.tree.Progress.ItemSkipped()
	case n.tree.DryRun:
		n.tree.tell(from, n.into(name).shown)
	default:
		n.tree.done(from, n.into(name).shown)
	}
	return nil
}

// copyFile begins a regular file, or lets b copy it with others.
func (n *node) copyFile(ctx context.Context, b *batch, name string) error {
	n.tree.Progress.Grow(1, 0)
	f := &file{incoming: incoming{run: n.tree.run, to: n.into(name), node: n}, from: n.from(name)}
	if err := f.openInTree(); err != nil {
		f.release(false)
		return n.outcome(ctx, name, false, err)
	}
	f.Progress.Grow(0, f.meta.size)
	n.hold()
	if f.Archive && f.meta.nlink > 1 && !f.DryRun {
		f.group = n.tree.links.of(f.meta)
		return f.group.copy(ctx, b, f)
	}
	return f.startInTree(ctx, b)
}

func (f *file) openInTree() (err error) {
	if f.in, err = f.from.dir.open(f.from.name); err == nil {
		f.meta, err = statFile(f.in)
	}
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", f.from.shown, err)
	}
	if !f.meta.mode.IsRegular() {
		return &ChangedError{f.from.shown}
	}
	return nil
}

// startInTree begins f, whose node is held for it.
func (f *file) startInTree(ctx context.Context, b *batch) error {
	there, err := f.inTheWay()
	switch {
	case err == nil && f.doubtful:
		_ = f.in.Close()
		f.in = nil
		f.engine.later(f.compareLeft)
		return nil
	case err != nil || f.skip || f.there || f.DryRun && !(there && f.Checksum):
		return f.end(ctx, err)
	case !f.mayShare() && !(there && f.Checksum):
		if err := f.takeRoom(); err != nil {
			return f.end(ctx, err)
		}
	}
	if there || f.meta.size > f.chunk {
		f.byPart()
		return nil
	}
	return b.add(ctx, f)
}

// byPart lets f go through a part file when its turn has come. It is opened again then: a directory may have many.
func (f *file) byPart() {
	if f.fleet != nil {
		f.fleet.setApart(f)
		return
	}
	_ = f.in.Close()
	f.in = nil
	f.engine.later(f.start)
}

// inTheWay looks at what has the file's name in the destination, and returns whether there is something to replace. In a
// directory that this run has made and nobody sees, there is nothing: only for a large file is it worth a look.
func (f *file) inTheWay() (bool, error) {
	n := f.node
	if n.dst == nil || n.hidden && !n.resumed && f.meta.size <= f.chunk {
		return false, nil
	}
	m, err := n.dst.lstat(f.to.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("cannot create %s: %w", f.to.shown, err)
	case n.hidden && !n.resumed:
		return false, f.collides()
	case n.hidden:
		return f.leftOver(m)
	case sameFile(m, f.meta):
		return false, usagef("%s and %s are the same file", f.from.shown, f.to.shown)
	case m.mode.IsDir() && !f.NoClobber: // see entryStays
		return false, fmt.Errorf("cannot overwrite directory %s with non-directory %s", f.to.shown, f.from.shown)
	}
	if f.there = f.finished(m); f.there {
		n.dropDeadJournal(f.to.name)
		return false, nil
	}
	f.old = &m
	f.skip = f.stays(m, f.meta)
	f.current = f.skip && !f.NoClobber && m.mode.IsRegular() && m.size == f.meta.size && m.mtime.Equal(f.meta.mtime)
	return true, nil
}

// seemsLeft says whether m may be of the copy of f that an earlier run has made. It had the source's times last of all. If
// the source changed after that in a way that leaves size and time as they were, its change time says so.
func (f *file) seemsLeft(m meta) bool {
	before := f.meta.ctime.Before(m.ctime) || f.meta.ctime.IsZero()
	return m.mode.IsRegular() && m.size == f.meta.size && m.mtime.Equal(f.meta.mtime) && before
}

// leftOver decides about what an earlier run has left under the name of f.
func (f *file) leftOver(m meta) (bool, error) {
	if f.seemsLeft(m) {
		f.there, f.doubtful = !f.node.doubtful, f.node.doubtful
		return false, nil
	}
	if err := f.to.dir.removeAll(f.to.name, m.mode.IsDir()); err != nil {
		return false, fmt.Errorf("cannot create %s: %w", f.to.shown, err)
	}
	return false, nil
}

// collides is what to say of a name that is taken where only this run makes names.
func (f *file) collides() error {
	return fmt.Errorf("will not overwrite just-created %s with %s", f.to.shown, f.from.shown)
}

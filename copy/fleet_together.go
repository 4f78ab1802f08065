package copy

import (
	"context"
	"errors"
	"io/fs"
)

// fleetTogether copies the small files of one item of a fleet in batches, as a copy by one process does. Each grows without
// a name where the file system has such files, otherwise as a part of this attempt alone, and gets its name only under its
// lease.
type fleetTogether struct {
	*fleetRun
	ground   *localGround
	shelf    *localShelf
	task     *task
	src, dst *dir     // the folder that all are in
	apart    []string // names of those that have to be copied each by itself
}

// copyTogether copies the small files of an item, and returns the names of those that are left: they are not small any more,
// or there is something in their way.
func (f *fleetRun) copyTogether(ctx context.Context, t *task) ([]string, error) {
	g := f.openTogether(t)
	if g == nil {
		return t.item.names, nil
	}
	defer g.close()
	b := newBatch(f.run)
	defer b.close()
	for _, name := range t.item.names {
		if ctx.Err() != nil {
			return nil, cancelled(ctx)
		}
		if err := g.add(ctx, b, name); err != nil {
			return nil, err
		}
	}
	err := b.flush(ctx)
	return g.apart, err
}

// openTogether opens the folder of an item on both sides. It returns nil if they are not both on file systems, or if one
// cannot be opened: each file then says so.
func (f *fleetRun) openTogether(t *task) *fleetTogether {
	shelf, ok := f.shelves[t.item.source].(*localShelf)
	if !ok || shelf.name != "" {
		return nil
	}
	ground, ok := f.ground.(*localGround)
	if !ok {
		return nil
	}
	g := &fleetTogether{fleetRun: f, ground: ground, shelf: shelf, task: t}
	var err error
	if g.src, err = shelf.held.open(shelf.root, t.item.rel); err != nil {
		return nil
	}
	if g.dst, err = ground.held.open(ground.base, f.lands(t.item.source, t.item.rel)); err != nil {
		_ = g.src.close()
		return nil
	}
	return g
}

func (g *fleetTogether) close() {
	_ = g.src.close()
	_ = g.dst.close()
}

// add lets b copy a file, unless it is one to be copied by itself.
func (g *fleetTogether) add(ctx context.Context, b *batch, name string) error {
	if err := g.task.lease.Check(); err != nil {
		return err
	}
	if g.dst.has(name) {
		g.apart = append(g.apart, name)
		return nil
	}
	rel := join(g.task.item.rel, name)
	to := place{dir: g.dst, name: name, shown: g.ground.shown(g.lands(g.task.item.source, rel))}
	f := &file{
		incoming: incoming{run: g.run, to: to, below: true},
		from:     place{dir: g.src, name: name, shown: g.shelf.shown(rel)}, fleet: g,
	}
	err := f.openInTree()
	g.Progress.Grow(1, f.meta.size)
	switch {
	case err != nil:
		return f.end(ctx, err)
	case f.meta.size > g.chunk:
		f.byPart()
		return nil
	}
	return b.add(ctx, f)
}

// setApart leaves f to be copied by itself. It is opened, and counted, again then.
func (g *fleetTogether) setApart(f *file) {
	_ = f.in.Close()
	f.in = nil
	g.Progress.Grow(-1, 0)
	if !f.unnamed { // its bytes have moved, and will once more
		g.Progress.Grow(0, -f.meta.size)
	}
	g.apart = append(g.apart, f.from.name)
}

// create opens the destination of f.
func (g *fleetTogether) create(f *file) error {
	if !g.ground.noNameless.Load() {
		var err error
		if f.out, err = f.to.dir.createNameless(permBits(f.meta.mode.Perm())); err == nil {
			return nil
		}
		if errors.Is(err, errors.ErrUnsupported) {
			g.ground.noNameless.Store(true)
		}
	}
	return g.ground.newPart(&f.incoming)
}

// name gives f its name, which is the last that becomes of it.
func (g *fleetTogether) name(f *file) error {
	g.ground.warnOfLinks(f.to.shown, f.meta)
	if !syncsAll && !g.Fsync {
		if err := f.out.Sync(); err != nil {
			return f.writeError(err)
		}
	}
	if err := g.task.lease.Check(); err != nil {
		return err
	}
	if f.part != nil {
		var err error
		f.skip, err = f.finish()
		return err
	}
	err := f.to.dir.nameFile(f.out, f.to.name)
	f.unnamed = err != nil
	if err != nil && !errors.Is(err, fs.ErrExist) { // there may be no /proc: not all are to be copied twice
		g.ground.noNameless.Store(true)
	}
	return nil
}

// ended counts what became of f. The error returned is one that ends the run, or of a lease that is over.
func (g *fleetTogether) ended(ctx context.Context, f *file, err error) error {
	f.release(false)
	if err == nil && !f.skip {
		g.task.bytes += f.dataSize()
	}
	return g.outcome(ctx, g.task, join(g.task.item.rel, f.from.name), f.skip, err)
}

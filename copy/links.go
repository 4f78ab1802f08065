package copy

import (
	"context"
	"fmt"
	"sync"
)

// links are the files that have several names, in all sources of a run together. The first name that is met is copied, the
// others are linked to it when it is whole.
type links struct {
	mu     sync.Mutex
	groups map[inode]*linkGroup
}

type inode struct{ dev, ino uint64 }

// linkGroup is one such file. Its names are all in the sources, or it stays in memory until the end.
type linkGroup struct {
	all *links
	key inode

	mu      sync.Mutex
	left    uint64 // names not met yet
	busy    bool   // the first name is being copied
	first   linkHome
	waiting []*file // names met meanwhile
}

// linkHome is where the first name of a file is. Its directory may have been closed, and have another name now.
type linkHome struct {
	open  func() (*dir, error) // nil before the file is whole
	name  string
	shown string
}

// home is where name is in the destination.
func (n *node) home(name string) linkHome {
	return linkHome{n.reopen, name, n.into(name).shown}
}

// home is where the destination of a source of its own is.
func (to place) home() linkHome {
	return linkHome{name: to.name, shown: to.shown, open: func() (*dir, error) {
		parent, err := openParent(to.shown)
		return parent.dir, err
	}}
}

func (l *links) init() { l.groups = map[inode]*linkGroup{} }

// of returns the group of a file, of which one more name was met.
func (l *links) of(m meta) *linkGroup {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := inode{m.dev, m.ino}
	g := l.groups[key]
	if g == nil {
		g = &linkGroup{all: l, key: key, left: m.nlink}
		l.groups[key] = g
	}
	if g.left--; g.left == 0 {
		delete(l.groups, key)
	}
	return g
}

// copy copies f if it is the first of its names, and otherwise links it now or later.
func (g *linkGroup) copy(ctx context.Context, b *batch, f *file) error {
	g.mu.Lock()
	switch {
	case g.first.open != nil:
		g.mu.Unlock()
		return g.linkFile(ctx, f)
	case g.busy:
		if f.in != nil {
			_ = f.in.Close()
			f.in = nil
		}
		g.waiting = append(g.waiting, f)
		g.mu.Unlock()
		return nil
	}
	g.busy = true
	g.mu.Unlock()
	f.first = true
	if f.node == nil {
		return f.start(ctx)
	}
	return f.startInTree(ctx, b)
}

// settle is called when the first name is whole, or will not be. Those that wait go on.
func (g *linkGroup) settle(f *file, whole bool) {
	if !f.first {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy = false
	if whole && f.node != nil {
		g.first = f.node.home(f.to.name)
	} else if whole {
		g.first = f.to.home()
	}
	for _, w := range g.waiting {
		f.engine.later(func(ctx context.Context) error { return g.again(ctx, w) })
	}
	g.waiting = nil
}

// again begins a name that has waited. If the first one failed, it is the first now.
func (g *linkGroup) again(ctx context.Context, f *file) error {
	if f.node == nil {
		return g.copy(ctx, nil, f)
	}
	if err := f.openInTree(); err != nil {
		return f.end(ctx, err)
	}
	b := newBatch(f.run)
	defer b.close()
	if err := g.copy(ctx, b, f); err != nil {
		return err
	}
	return b.flush(ctx)
}

// linkFile makes f another name of the first, and ends it.
func (g *linkGroup) linkFile(ctx context.Context, f *file) error {
	f.Progress.Grow(0, -f.meta.size)
	m := f.meta
	linked, err := g.linked(f.to)
	switch {
	case err != nil || linked && (f.Update || f.Checksum):
		f.skip = linked
		return f.end(ctx, err)
	case f.Update:
		m.mtime = m.mtime.Add(1) // one that is as new, but a file of its own, does not stay
	}
	f.skip, err = f.placeEntry(f.to, m, f.from, g.link)
	return f.end(ctx, err)
}

// linked says whether to is a name of the group already.
func (g *linkGroup) linked(to place) (bool, error) {
	now, err := to.dir.lstat(to.name)
	if err != nil {
		return false, nil // it will be made, or not
	}
	d, err := g.first.open()
	if err != nil {
		return false, fmt.Errorf("cannot link %s to %s: %w", to.shown, g.first.shown, err)
	}
	defer func() { _ = d.close() }()
	first, err := d.lstat(g.first.name)
	return err == nil && sameFile(first, now), nil
}

// link makes to a name of the group.
func (g *linkGroup) link(to place) error {
	d, err := g.first.open()
	if err == nil {
		err = to.dir.link(place{dir: d, name: g.first.name}, to.name)
		_ = d.close()
	}
	if err != nil {
		return fmt.Errorf("cannot link %s to %s: %w", to.shown, g.first.shown, err)
	}
	return nil
}

// linkOrMake makes to like from by make, or a name of what was made of another name of from. home is where to is.
func (r *run) linkOrMake(
	from, to place, m meta, home linkHome, make func() (skipped bool, err error),
) (skipped bool, err error) {
	if !r.Archive || m.nlink < 2 {
		return make()
	}
	group := r.links.of(m)
	group.mu.Lock()
	defer group.mu.Unlock()
	if group.first.open != nil {
		return r.placeEntry(to, m, from, group.link)
	}
	if skipped, err = make(); err == nil && !skipped {
		group.first = home
	}
	return skipped, err
}

// reopen opens the directory n in the destination once more. It may have been closed, and have another name now.
func (n *node) reopen() (*dir, error) {
	if n.parent == nil {
		return n.reopenRoot()
	}
	above, err := n.parent.reopen()
	if err != nil {
		return nil, err
	}
	defer func() { _ = above.close() }()
	n.mu.Lock()
	defer n.mu.Unlock()
	return above.sub(n.atName)
}

// reopenRoot finds the root of a tree that is done by its path: it must still be the same directory.
func (n *node) reopenRoot() (*dir, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		return n.dst.up(".")
	}
	d, err := openDir(n.tree.dst)
	if err != nil {
		return nil, err
	}
	if m, err := d.meta(); err != nil || !sameFile(m, n.was) {
		_ = d.close()
		return nil, fmt.Errorf("%s is another directory now", n.tree.dst)
	}
	return d, nil
}

// closeDst closes the directory in the destination. The root's may be asked for once more, by links to what is in it.
func (n *node) closeDst() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.parent == nil && n.tree.Archive {
		n.was, _ = n.dst.meta()
	}
	n.closed = true
	_ = n.dst.close()
}

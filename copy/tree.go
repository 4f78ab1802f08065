package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
)

// tree is one folder to copy with all that is in it.
type tree struct {
	*run
	src, dst string // as the user knows them
	root     *node
	noClone  atomic.Bool // the file system has turned out not to share data
	only     *only       // nil for all
}

// node is a directory of a tree. It is done when everything in it is.
type node struct {
	tree     *tree
	parent   *node
	name     string // in its parent
	rel      string // from the root, with slashes; "" for the root
	src, dst *dir
	meta     meta
	made     bool     // it was not there before
	grown    *growth  // it grows under another name
	hidden   bool     // it, or a directory above it, grows under another name
	resumed  bool     // an earlier run has begun it
	doubtful bool     // and what it has copied may be lost
	unseen   bool     // the source could not be listed to its end
	mark     *jobMark // of the root
	room     *room    // of the file system that it is in
	to       place    // where it is in its parent; the root's folder is not a node

	holds atomic.Int64

	mu     sync.Mutex
	atName string // the name that it has now
	closed bool
	was    meta // of the root's directory in the destination, when it was closed
}

func (n *node) shown(root, name string) string {
	switch {
	case n.rel == "" && name == "":
		return root
	case n.rel == "":
		return within(root, name)
	case name == "":
		return within(root, n.rel)
	}
	return within(root, n.rel) + "/" + name
}

func (n *node) from(name string) place {
	return place{dir: n.src, name: name, shown: n.shown(n.tree.src, name)}
}
func (n *node) into(name string) place {
	return place{dir: n.dst, name: name, shown: n.shown(n.tree.dst, name), hidden: n.hidden, stale: n.hidden && n.resumed}
}

func (n *node) relOf(name string) string {
	if n.rel == "" {
		return name
	}
	return n.rel + "/" + name
}

// hold keeps the node from being done until release was called once more.
func (n *node) hold() { n.holds.Add(1) }

// release lets go of a node and, when nobody holds it, completes it: after all that is in it, and before its parent. The
// error is one that ends the run.
func (n *node) release(ctx context.Context) error {
	for ; n != nil && n.holds.Add(-1) == 0; n = n.parent {
		if err := ctx.Err(); err != nil {
			return cancelled(ctx)
		}
		if err := n.deleteExtra(ctx); err != nil {
			return err
		}
		n.tree.live.remove(n)
		err := n.complete(ctx)
		n.close()
		if err != nil {
			if err := n.tree.failed(ctx, n.shown(n.tree.src, ""), err, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *node) close() {
	_ = n.src.close()
	n.mark.close()
	if n.dst != nil {
		n.closeDst()
	}
	if n.grown != nil {
		n.grown.close()
	}
	if n.parent == nil {
		_ = n.to.dir.close()
	}
}

// abandon is the end of a node of a run that was stopped. What has grown stays for the next run, unless nothing is to be
// resumed.
func (n *node) abandon() {
	if n.grown != nil && n.tree.NoResume {
		_ = n.dst.clear()
		_ = n.grown.dir.rmdir(n.grown.name)
		_ = n.grown.dir.remove(n.grown.noteName)
	}
	n.close()
}

// complete gives a directory its mode and times, which the entries made in it would have changed, and its name.
func (n *node) complete(ctx context.Context) error {
	if n.resumed && !n.unseen {
		if err := n.prune(ctx); err != nil {
			return err
		}
	}
	n.mark.end() // before the times
	if n.made {
		n.tree.tell(n.shown(n.tree.src, ""), n.shown(n.tree.dst, ""))
	}
	if n.tree.DryRun {
		return nil
	}
	if n.made || n.tree.Archive {
		if err := n.tree.keep(n.dst.f, n.src.f, n.shown(n.tree.src, ""), n.meta); err != nil {
			return err
		}
	}
	if n.tree.Fsync {
		if err := n.dst.sync(n.shown(n.tree.dst, "")); err != nil {
			return err
		}
	}
	if n.grown == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.grown.commit(n.dst, n.to); err != nil {
		return err
	}
	n.atName = n.to.name
	if n.tree.Fsync {
		return n.to.dir.sync(n.to.shown)
	}
	return nil
}

// openTree opens both sides of a tree at its root. Its node is held for the walk.
func (r *run) openTree(ctx context.Context, it item) (*node, error) {
	t := &tree{run: r, src: it.src, dst: trimSlashes(it.dst)}
	src, err := openDir(it.src)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", it.src, because(err))
	}
	n := &node{tree: t, src: src}
	if err := n.openRoot(it); err != nil {
		_ = src.close()
		return nil, err
	}
	t.root, n.room = n, roomOf(n.dst, t.dst)
	t.noClone.Store(n.dst != nil && sharesNothing(n.src.f, n.dst.f)) // known before the first file is counted
	err = t.choose()
	if err == nil {
		err = n.checkDelete()
	}
	if err != nil {
		n.close()
		return nil, err
	}
	n.mark = n.beginMark(ctx)
	n.holds.Store(1)
	r.live.add(n)
	return n, nil
}

// openRoot opens or makes the destination of the root.
func (n *node) openRoot(it item) error {
	var err error
	if n.meta, err = n.src.meta(); err != nil {
		return fmt.Errorf("cannot read %s: %w", it.src, because(err))
	}
	if !sameFile(n.meta, metaOfInfo(it.info)) {
		return &ChangedError{it.src} // another directory, or a link to one
	}
	if n.dst, err = n.existing(it); err != nil {
		return err
	}
	if n.dst != nil {
		n.to = place{shown: n.tree.dst}
		if n.to.dir, err = n.dst.up("."); err != nil {
			_ = n.dst.close()
			return err
		}
	} else {
		if n.to, err = openParent(n.tree.dst); err != nil {
			return fmt.Errorf("cannot create directory %s: %w", n.tree.dst, because(err))
		}
	}
	err = n.outside()
	if err == nil && n.dst == nil {
		if n.tree.DryRun {
			err = n.dryGrow()
		} else {
			err = n.grow()
		}
	}
	if err != nil {
		_ = n.to.dir.close()
		if n.dst != nil {
			_ = n.dst.close()
		}
	}
	return err
}

// existing opens the destination if it is there, or returns nil.
func (n *node) existing(it item) (*dir, error) {
	m, err := statPath(it.dst, it.merge)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot create directory %s: %w", it.dst, because(err))
	case !m.mode.IsDir():
		return nil, fmt.Errorf("cannot overwrite non-directory %s with directory %s", it.dst, it.src)
	case sameFile(m, n.meta):
		return nil, usagef("%s and %s are the same directory", it.src, it.dst)
	}
	open := openDirItself
	if it.merge {
		open = openDir
	}
	d, err := open(it.dst)
	if err != nil {
		return nil, fmt.Errorf("cannot write to directory %s: %w", it.dst, because(err))
	}
	return d, nil
}

// outside returns an error if the destination is in the source: the copy would copy itself, without end.
func (n *node) outside() error {
	if n.src.holds(n.to.dir) {
		return usagef("cannot copy the directory %s into itself, %s", n.tree.src, n.tree.dst)
	}
	return nil
}

// holds says whether other is d or in it, at any depth. What cannot be looked at is not a folder that we read.
func (d *dir) holds(other *dir) bool {
	us, err := d.meta()
	if err != nil {
		return false
	}
	at, err := other.up(".")
	if err != nil {
		return false
	}
	defer func() { _ = at.close() }()
	for {
		m, err := at.meta()
		if err != nil {
			return false
		}
		if sameFile(m, us) {
			return true
		}
		next, err := at.up("..")
		if err != nil {
			return false
		}
		_ = at.close()
		at = next
		if above, err := at.meta(); err != nil || sameFile(above, m) {
			return false
		}
	}
}

func trimSlashes(path string) string {
	for len(path) > 1 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	return path
}

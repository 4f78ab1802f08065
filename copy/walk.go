package copy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"syscall"
)

const (
	readAhead = 256 // entries of a directory that are read at once

	// What one job takes. Workers that make entries in the same directory wait for one another in the kernel, and so do
	// those that ask for jobs here.
	portionEntries = 64
	portionDirs    = 16
)

// walk goes through a tree in depth. Only the directories above the place where it is are open for it, and of each no
// more than a few names are in memory.
type walk struct{ stack []*level }

// level is a directory that the walk is in. The walk holds its node.
type level struct {
	*node
	entries []fs.DirEntry // read and not handed out
	read    bool          // to the end
}

func newWalk(root *node) *walk { return &walk{[]*level{{node: root}}} }

// portion is some entries of a directory, which is held for them. They are no directories.
type portion struct {
	*node
	entries []fs.DirEntry
}

// next returns what one job is to copy, or io.EOF.
func (w *walk) next(ctx context.Context) (all []portion, err error) {
	count := 0
	for len(w.stack) > 0 && count < portionEntries && len(all) < portionDirs {
		if ctx.Err() != nil {
			return nil, cancelled(ctx)
		}
		l := w.stack[len(w.stack)-1]
		if len(l.entries) == 0 && !l.read {
			if err := l.fill(ctx); err != nil {
				return nil, err
			}
		}
		batch := l.batch(portionEntries - count)
		switch {
		case len(batch) > 0:
			l.hold()
			all = append(all, portion{l.node, batch})
			count += len(batch)
		case len(l.entries) > 0:
			e := l.entries[0]
			l.entries = l.entries[1:]
			if l.leftOut(e.Name(), true) {
				continue
			}
			sub, err := l.enter(ctx, e.Name())
			if err != nil {
				return nil, err
			}
			if sub != nil {
				w.stack = append(w.stack, &level{node: sub, read: sub.mounted()})
			}
		case l.read:
			w.stack = w.stack[:len(w.stack)-1]
			if err := l.release(ctx); err != nil {
				return nil, err
			}
		}
	}
	if len(all) == 0 {
		return nil, io.EOF
	}
	return all, nil
}

// fill reads more of a directory. What cannot be read is a failed item.
func (l *level) fill(ctx context.Context) error {
	var err error
	l.entries, err = l.src.f.ReadDir(readAhead)
	// Directories last, so that few jobs take all the others.
	slices.SortStableFunc(l.entries, func(a, b fs.DirEntry) int { return cmp.Compare(rank(a), rank(b)) })
	if err == nil {
		return nil
	}
	l.read = true
	if err == io.EOF {
		return nil
	}
	if errors.Is(err, syscall.EBADF) {
		err = fs.ErrPermission // it could only be opened to find things in it
	}
	l.unseen = true // what was not read may well be there
	shown := l.shown(l.tree.src, "")
	return l.tree.failed(ctx, shown, fmt.Errorf("cannot read %s: %w", shown, because(err)), true)
}

func rank(e fs.DirEntry) int {
	if e.IsDir() {
		return 1
	}
	return 0
}

// batch takes the entries up to the next directory, but not more than most.
func (l *level) batch(most int) []fs.DirEntry {
	n := 0
	for n < min(len(l.entries), most) && !l.entries[n].IsDir() {
		n++
	}
	batch := l.entries[:n:n]
	l.entries = l.entries[n:]
	return batch
}

// enter opens a directory on both sides. It returns nil if that fails; the error is one that ends the run.
func (l *level) enter(ctx context.Context, name string) (*node, error) {
	n := &node{tree: l.tree, parent: l.node, name: name, rel: l.relOf(name), hidden: l.hidden, doubtful: l.doubtful, atName: name}
	n.to = l.into(name)
	if err := n.open(); err != nil {
		shown := n.shown(n.tree.src, "")
		n.tree.Progress.Grow(1, 0)
		return nil, n.tree.failed(ctx, shown, err, true)
	}
	l.hold()
	n.holds.Store(1)
	n.tree.live.add(n)
	return n, nil
}

// open opens both sides.
func (n *node) open() (err error) {
	shown := n.shown(n.tree.src, "")
	if n.src, err = n.parent.src.sub(n.name); err != nil {
		return fmt.Errorf("cannot read %s: %w", shown, because(err))
	}
	if n.meta, err = n.src.meta(); err == nil {
		err = n.noLoop(shown)
	}
	if err == nil {
		err = n.parent.dst.noInode(n.to.shown, n.openDst())
	}
	if err == nil {
		err = n.enterRoom()
	}
	if err != nil {
		_ = n.src.close()
	}
	return err
}

// mounted says whether n is on another file system, which is to be left alone: as cp -x makes, an empty directory.
func (n *node) mounted() bool {
	return n.tree.OneFileSystem && n.meta.dev != n.tree.root.meta.dev
}

// noLoop finds directories that are mounted in themselves, and the destination if it was mounted into the source.
func (n *node) noLoop(shown string) error {
	for at := n.parent; at != nil; at = at.parent {
		if sameFile(at.meta, n.meta) {
			return fmt.Errorf("cannot copy %s: it contains itself", shown)
		}
	}
	if root := n.tree.root.dst; root == nil {
		return nil
	} else if m, err := root.meta(); err == nil && sameFile(m, n.meta) {
		return fmt.Errorf("cannot copy %s into itself", shown)
	}
	return nil
}

// openDst opens the directory in the destination, or makes it.
func (n *node) openDst() error {
	if !n.hidden {
		return n.openSeen()
	}
	if n.tree.DryRun {
		return n.dryGrow()
	}
	n.made = true
	var err error
	var old bool
	n.dst, old, err = openOrMake(n.parent.dst, n.name)
	if notDirectory(err) && n.parent.resumed {
		// The source has a directory now where it had a file.
		if err = n.parent.dst.remove(n.name); err == nil {
			n.dst, old, err = openOrMake(n.parent.dst, n.name)
		}
	}
	if err == nil && old {
		n.resumed = true
		err = n.dst.f.Chmod(0o700) // it may be one that was finished
	}
	if err != nil {
		return fmt.Errorf("cannot create directory %s: %w", n.to.shown, because(err))
	}
	return nil
}

// openSeen opens a directory that others see, or lets one grow.
func (n *node) openSeen() error {
	var err error
	n.dst, err = n.parent.dst.sub(n.name)
	switch {
	case err == nil:
		if mark := n.tree.root.mark; mark != nil && mark.resumed {
			n.parent.dropDeadJournal(n.name)
		}
		return nil
	case errors.Is(err, fs.ErrNotExist) && n.tree.DryRun:
		return n.dryGrow()
	case errors.Is(err, fs.ErrNotExist):
		return n.grow()
	case notDirectory(err):
		return fmt.Errorf("cannot overwrite non-directory %s with directory %s", n.to.shown, n.shown(n.tree.src, ""))
	}
	return fmt.Errorf("cannot write to directory %s: %w", n.to.shown, because(err))
}

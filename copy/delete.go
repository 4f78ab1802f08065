package copy

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// deleteExtra removes from a folder of the destination what the source has not. What is left out of the copy stays, and
// so does what an unfinished run would go on with. The error is one that ends the run.
func (n *node) deleteExtra(ctx context.Context) error {
	if !n.tree.Delete || n.made || n.dst == nil || n.unseen || n.mounted() {
		return nil // who cannot see must not remove
	}
	var stop error
	err := n.dst.each(func(name string, isDir bool) error {
		if n.src.has(name) || unfinished(name) && !n.orphaned(name) {
			return nil
		}
		_, stop = n.deleteOne(ctx, place{dir: n.dst, name: name}, n.relOf(name), isDir)
		return stop
	})
	switch {
	case errors.Is(stop, errStop):
		return nil
	case stop == nil && err != nil:
		shown := n.shown(n.tree.dst, "")
		return n.tree.failed(ctx, shown, fmt.Errorf("cannot read %s: %w", shown, because(err)), true)
	}
	return stop
}

// deleteOne removes an entry and all that is in it, and returns whether it is gone: a folder stays with what of it is left
// out of the copy. The error is errStop or one that ends the run.
func (n *node) deleteOne(ctx context.Context, at place, rel string, isDir bool) (gone bool, err error) {
	if ctx.Err() != nil {
		return false, cancelled(ctx)
	}
	if n.tree.leftOut(rel, isDir) {
		return false, nil
	}
	at.shown = within(n.tree.dst, rel)
	if isDir {
		if gone, err = n.deleteIn(ctx, at, rel); !gone || err != nil {
			return false, err
		}
	}
	err = n.tree.removeEntry(at.shown, func() error {
		if isDir {
			return at.dir.rmdir(at.name)
		}
		return at.dir.remove(at.name)
	})
	if errors.Is(err, errStop) {
		return false, err
	}
	if err != nil {
		return false, n.notRemoved(ctx, at, err)
	}
	return true, nil
}

// removeEntry removes something of a destination, as far as MaxDelete allows. It returns errStop when all was said about
// that.
func (r *run) removeEntry(shown string, remove func() error) error {
	if limit := r.MaxDelete; limit > 0 && r.removed.Add(1) > limit {
		if r.overLimit.Swap(true) {
			return errStop
		}
		return fmt.Errorf("%d were removed, and more are not allowed", limit)
	}
	if !r.DryRun {
		if err := remove(); err != nil {
			return err
		}
	}
	if r.Removed != nil {
		r.telling.Lock()
		defer r.telling.Unlock()
		r.Removed(shown)
	}
	return nil
}

// deleteIn removes what is in a folder, and returns whether that is all.
func (n *node) deleteIn(ctx context.Context, at place, rel string) (empty bool, err error) {
	var sub *dir
	if n.tree.DryRun {
		sub, err = at.dir.sub(at.name)
	} else {
		sub, err = at.dir.subToClear(at.name)
	}
	if err != nil {
		return false, n.notRemoved(ctx, at, err)
	}
	defer func() { _ = sub.close() }()
	if m, err := sub.meta(); err != nil || sameFile(m, n.tree.root.meta) {
		return false, n.notRemoved(ctx, at, errors.New("it is the source"))
	}
	empty = true
	var stop error
	err = sub.each(func(name string, isDir bool) error {
		var gone bool
		gone, stop = n.deleteOne(ctx, place{dir: sub, name: name}, rel+"/"+name, isDir)
		empty = empty && gone
		return stop
	})
	if stop == nil && err != nil {
		return false, n.notRemoved(ctx, at, err)
	}
	return empty, stop
}

// notRemoved counts an entry that could not be removed.
func (n *node) notRemoved(ctx context.Context, at place, err error) error {
	n.tree.Progress.Grow(1, 0)
	return n.tree.failed(ctx, at.shown, fmt.Errorf("cannot remove %s: %w", at.shown, because(err)), true)
}

// unfinished says whether a name is one of those that runs give to what is not whole.
func unfinished(name string) bool {
	return strings.HasPrefix(name, ".") && (strings.HasSuffix(name, partSuffix) || strings.HasSuffix(name, journalSuffix) ||
		strings.HasSuffix(name, jobSuffix))
}

// checkDelete refuses to make the destination as empty as a source: more likely, something is not mounted.
func (n *node) checkDelete() error {
	if !n.tree.Delete || n.dst == nil || n.made {
		return nil
	}
	if n.dst.holds(n.src) {
		return usagef("--delete refused: %s is in %s, and would be removed", n.tree.src, n.tree.dst)
	}
	empty := true
	err := n.src.each(func(string, bool) error {
		empty = false
		return errStop
	})
	if err != nil && !errors.Is(err, errStop) {
		return fmt.Errorf("cannot read %s: %w", n.tree.src, because(err))
	}
	if empty {
		return usagef("--delete refused: %s is empty, and nothing of %s would be left", n.tree.src, n.tree.dst)
	}
	return nil
}

var errStop = errors.New("seen enough")

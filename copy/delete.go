package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// deleteExtra removes from a folder of the destination what the source has not. What is left out of the copy stays, and
// so does what an unfinished run would go on with.
func (n *node) deleteExtra(ctx context.Context) error {
	if n.unseen {
		return nil // it was reported, and who cannot see must not remove
	}
	return n.dst.each(func(name string, isDir bool) error {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if unfinished(name) || n.leftOut(name, isDir) {
			return nil
		}
		if _, err := n.src.lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return n.deleteOne(name, isDir)
	})
}

func (n *node) deleteOne(name string, isDir bool) error {
	shown := n.into(name).shown
	if limit := n.tree.MaxDelete; n.tree.removed.Add(1) > limit && limit > 0 {
		return fmt.Errorf("cannot remove %s: %d were removed, and more are not allowed", shown, limit)
	}
	if !n.tree.DryRun {
		if err := n.dst.removeAll(name, isDir); err != nil {
			return fmt.Errorf("cannot remove %s: %w", shown, because(err))
		}
	}
	if n.tree.Removed != nil {
		n.tree.telling.Lock()
		defer n.tree.telling.Unlock()
		n.tree.Removed(shown)
	}
	return nil
}

// unfinished says whether a name is one of those that runs give to what is not whole.
func unfinished(name string) bool {
	return strings.HasPrefix(name, ".") && (strings.HasSuffix(name, partSuffix) || strings.HasSuffix(name, journalSuffix))
}

// checkDelete refuses to make the destination as empty as a source: more likely, something is not mounted.
func (n *node) checkDelete() error {
	if !n.tree.Delete || n.dst == nil || n.made {
		return nil
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

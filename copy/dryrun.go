package copy

import (
	"errors"
	"fmt"
	"io/fs"
)

// dryGrow stands for a directory that a real run would make: nothing is in it.
func (n *node) dryGrow() error {
	n.made, n.hidden = true, true
	return nil
}

// drySpecial decides as copySpecial does, and changes nothing.
func (n *node) drySpecial(name string) (skipped bool, err error) {
	from, to := n.from(name), n.into(name)
	m, err := n.src.lstat(name)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", from.shown, err)
	}
	if n.dst == nil {
		return false, nil
	}
	now, err := n.dst.lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("cannot create %s: %w", to.shown, err)
	case now.mode.IsDir():
		return false, fmt.Errorf("cannot overwrite directory %s with non-directory %s", to.shown, from.shown)
	}
	return n.tree.stays(now, m), nil
}

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
	return n.tree.dryEntry(to, m, from)
}

// dryEntry decides as placeEntry does, and changes nothing.
func (r *run) dryEntry(to place, m meta, from place) (skipped bool, err error) {
	now, err := to.dir.lstat(to.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return r.entryStays(now, err, to, m, from)
}

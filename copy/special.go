package copy

import (
	"errors"
	"fmt"
	"io/fs"
)

// copySpecial copies a symlink as such, or makes a fifo, socket or device like the one in the source. skipped says that
// what has its name stays.
func (n *node) copySpecial(name string) (skipped bool, err error) {
	from, to := n.from(name), n.into(name)
	m, err := n.src.lstat(name)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", from.shown, err)
	}
	if m.mode.IsRegular() || m.mode.IsDir() {
		return false, &ChangedError{from.shown}
	}
	return n.tree.linkOrMake(from, to, m, n.home(name), func() (bool, error) { return n.newSpecial(from, to, m) })
}

// newSpecial makes to like from, which takes an inode if there is nothing of that name.
func (n *node) newSpecial(from, to place, m meta) (skipped bool, err error) {
	if n.made && !n.resumed || !n.dst.has(to.name) {
		if err := n.room.take(0, 1); err != nil {
			return false, err
		}
	}
	skipped, err = n.tree.makeSpecial(from, to, m)
	return skipped, n.dst.noInode(to.shown, err)
}

// makeSpecial makes to like from, of which m tells.
func (r *run) makeSpecial(from, to place, m meta) (skipped bool, err error) {
	target := ""
	if m.mode&fs.ModeSymlink != 0 {
		if target, err = from.dir.readlink(from.name); err != nil {
			return false, fmt.Errorf("cannot read %s: %w", from.shown, err)
		}
	}
	create := func(at place) error {
		if m.mode&fs.ModeSymlink != 0 {
			return at.dir.symlink(target, at.name)
		}
		return at.dir.mknod(at.name, m)
	}
	return r.placeEntry(to, m, from, func(at place) error {
		if err := create(at); err != nil {
			return fmt.Errorf("cannot create the %s %s: %w", kind(m.mode), to.shown, err)
		}
		return r.keepSpecial(from, at, m)
	})
}

// placeEntry makes an entry of to: at once where nobody sees that it is not whole, otherwise beside it and then in its
// place.
func (r *run) placeEntry(to place, m meta, from place, create func(at place) error) (skipped bool, err error) {
	if to.hidden || m.mode.IsRegular() { // of a regular file, create makes a link, which is whole at once
		if err = create(to); !errors.Is(err, fs.ErrExist) {
			return false, err
		}
	}
	now, err := to.dir.lstat(to.name)
	free := errors.Is(err, fs.ErrNotExist)
	if err == nil && to.stale {
		if err = to.dir.removeAll(to.name, now.mode.IsDir()); err == nil {
			return false, create(to)
		}
	}
	if !free {
		if skipped, err = r.entryStays(now, err, to, m, from); skipped || err != nil {
			return skipped, err
		}
	}
	at := place{dir: to.dir, name: partName(to.name, true), shown: to.shown}
	if from.dir != nil && from.dir.has(at.name) {
		return false, fmt.Errorf("cannot create %s: the source has an entry of its part's name", to.shown)
	}
	_ = to.dir.remove(at.name) // of a run that was killed
	if err = create(at); err == nil {
		if err = to.dir.rename(at.name, to.name, free); err != nil {
			err = fmt.Errorf("cannot create %s: %w", to.shown, err)
		}
	}
	// Also after a rename: it leaves both names if they are links to one file (rename(2)).
	_ = to.dir.remove(at.name)
	return false, err
}

// entryStays says whether now, which has the name of to, is to stay, or why it cannot be replaced by what m tells of.
func (r *run) entryStays(now meta, err error, to place, m meta, from place) (stays bool, _ error) {
	switch {
	case err != nil:
		return false, fmt.Errorf("cannot create %s: %w", to.shown, err)
	case sameFile(now, m):
		return false, usagef("%s and %s are the same file", from.shown, to.shown)
	case now.mode.IsDir() && !r.NoClobber: // cp -n keeps a folder too, and has nothing to say of it
		return false, fmt.Errorf("cannot overwrite directory %s with non-directory %s", to.shown, from.shown)
	}
	return r.stays(now, m), nil
}

// keepSpecial gives to, which is not to be opened, what m and from say. A symlink has no mode.
func (r *run) keepSpecial(from, to place, m meta) error {
	mode := m.perm()
	if r.Archive {
		now, err := to.dir.lstat(to.name)
		if err != nil {
			return fmt.Errorf("cannot keep the owner of %s: %w", from.shown, err)
		}
		owned := r.keepOwner(from.shown, now, m, func(uid, gid int) error { return to.dir.lchown(to.name, uid, gid) })
		if owned {
			mode = m.mode & allBits
		}
		r.keepEntryAttributes(to, from)
	}
	if m.mode&fs.ModeSymlink == 0 {
		if err := to.dir.chmod(to.name, permBits(mode)); err != nil {
			if err := r.notKept("mode", from.shown, err); err != nil {
				return err
			}
		}
	}
	if err := to.dir.times(to.name, m); err != nil {
		return r.notKept("times", from.shown, err)
	}
	return nil
}

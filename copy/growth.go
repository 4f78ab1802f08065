package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// growth is a new directory under the name of a part, beside its place, where nobody looks at it: the files in it can
// have their final names at once, and one rename shows all of them. A note beside it says whose it is.
type growth struct {
	dir  *dir // it lies in
	name string

	note     *os.File
	noteName string
}

// noteOf says what an earlier run must have copied, and how, for what it left to be of use: the same directory, and with
// all that this run is to do for each file, because files that are whole are not looked at again. Behind that it says in
// which boot of the machine and mount of the destination: after another one, data of what seems complete may be lost.
func (n *node) noteOf() (what, when string) {
	t := n.tree
	what = fmt.Sprintf("pace tree 3\n%d\narchive %t verify %t fsync %t one file system %t\n",
		n.meta.ino, t.Archive, t.Verify, t.Fsync, t.OneFileSystem)
	id, _ := partIDOf(n.dst.f) // where mounts have no numbers there is none
	return what, fmt.Sprintf("boot %s mount %d source %d\n", bootID(), id.mount, n.meta.dev)
}

// grow makes the directory n.to under its part name, or takes over what an earlier run has left of it.
func (n *node) grow() error {
	n.made, n.hidden = true, true
	g := &growth{dir: n.to.dir}
	hashed := false
	var err error
	if n.tree.Archive {
		n.to.uid = n.meta.uid
	}
	if n.parent != nil {
		if hashed, err = n.parent.hashesPart(n.name); err != nil {
			return err
		}
	}
	g.name, g.noteName = partName(n.to.name, hashed), journalName(n.to.name, hashed)
	d, old, err := openOrMake(g.dir, g.name)
	if isNameTooLong(err) {
		g.name, g.noteName = partName(n.to.name, true), journalName(n.to.name, true)
		d, old, err = openOrMake(g.dir, g.name)
	}
	if err != nil {
		return fmt.Errorf("cannot create directory %s: %w", n.to.shown, because(err))
	}
	n.dst, n.atName = d, g.name
	if err := n.take(g, old); err != nil {
		_ = d.close()
		n.dst = nil
		if g.note != nil {
			_ = g.note.Close()
		}
		return err
	}
	n.grown = g
	return nil
}

// openOrMake opens the directory name, made if it is not there. old says that it was.
func openOrMake(d *dir, name string) (sub *dir, old bool, err error) {
	if err = d.mkdir(name); errors.Is(err, fs.ErrExist) {
		old, err = true, nil
	}
	if err != nil {
		return nil, false, err
	}
	if sub, err = d.sub(name); old && errors.Is(err, fs.ErrPermission) {
		if d.chmod(name, 0o700) == nil {
			sub, err = d.sub(name)
		}
	}
	return sub, old, err
}

// take locks the part directory, and looks at what it is.
func (n *node) take(g *growth, old bool) error {
	part := beside(n.to.shown, g.name)
	switch ok, err := n.dst.lock(); {
	case err != nil:
		return fmt.Errorf("cannot lock %s: %w", part, err)
	case !ok:
		return &LockedError{Dest: n.to.shown, Part: part}
	}
	m, err := n.dst.meta()
	// Where a file system gives all files one owner, a new directory need not be this user's.
	if err == nil && old && !takeBack(n.dst.f, m.uid, n.to) {
		err = fmt.Errorf("%s is not a part directory of this user; remove it", part)
	}
	if err != nil {
		return fmt.Errorf("cannot create directory %s: %w", n.to.shown, err)
	}
	if err := n.dst.f.Chmod(0o700); err != nil {
		return fmt.Errorf("cannot create directory %s: %w", n.to.shown, because(err))
	}
	if g.note, err = openOwn(n.to.dir.pathOf(g.noteName), beside(n.to.shown, g.noteName)); err != nil {
		return err
	}
	what, when := n.noteOf()
	if old {
		if err := n.takeOver(g, what, when); err != nil {
			return err
		}
	}
	if n.resumed {
		// Also after another boot: as long as its files have not all been compared, the note stays the old one.
		return nil
	}
	if err = g.note.Truncate(0); err == nil {
		_, err = g.note.WriteAt([]byte(what+when), 0)
	}
	if err != nil {
		return fmt.Errorf("cannot create directory %s: %w", n.to.shown, because(err))
	}
	return nil
}

const noteMax = 1024 // bytes; none is longer

// takeOver decides about what an earlier run has left.
func (n *node) takeOver(g *growth, what, when string) error {
	buf := make([]byte, noteMax)
	count, _ := g.note.ReadAt(buf, 0)
	then, same := strings.CutPrefix(string(buf[:count]), what)
	switch {
	case n.tree.NoResume:
		n.tree.Log.Info("starting over", "item", n.to.shown, "reason", "--no-resume")
	case same && then == when:
		n.resumed = true
		n.tree.Log.Warn("resuming", "item", n.to.shown)
		return nil
	case same:
		n.resumed, n.doubtful = true, true
		n.tree.Log.Warn("resuming", "item", n.to.shown, "reason", "since another boot, files that are there are compared")
		return nil
	default:
		n.tree.Log.Warn("starting over", "item", n.to.shown, "reason", "what is there is of another source or other options")
	}
	return n.dst.clear()
}

// commit gives the directory d, which has grown, its final name.
func (g *growth) commit(d *dir, to place) error {
	open, err1 := d.meta()
	named, err2 := g.dir.lstat(g.name)
	if err1 != nil || err2 != nil || !sameFile(open, named) {
		return fmt.Errorf("cannot create directory %s: its part directory was removed or replaced", to.shown)
	}
	if err := g.dir.rename(g.name, to.name, true); err != nil {
		return fmt.Errorf("cannot create directory %s: %w", to.shown, err)
	}
	_ = g.dir.remove(g.noteName) // a note without its directory says nothing
	return nil
}

func (g *growth) close() { _ = g.note.Close() }

// clear removes all that is in d.
func (d *dir) clear() error {
	return d.each(func(name string, isDir bool) error { return d.removeAll(name, isDir) })
}

// removeAll removes an entry, and all that is in it if it is a directory. Links are not followed.
func (d *dir) removeAll(name string, isDir bool) error {
	if !isDir {
		return d.remove(name)
	}
	sub, err := d.subToClear(name)
	if err != nil {
		return err
	}
	err = sub.clear()
	_ = sub.close()
	if err != nil {
		return err
	}
	return d.rmdir(name)
}

// subToClear opens the directory name to remove what is in it.
func (d *dir) subToClear(name string) (*dir, error) {
	sub, err := d.sub(name)
	if err != nil {
		if d.chmod(name, 0o700) != nil {
			return nil, err
		}
		if sub, err = d.sub(name); err != nil {
			return nil, err
		}
	}
	_ = sub.f.Chmod(0o700) // it may be one that was finished, and not ours to write
	return sub, nil
}

// each calls f with each entry of d. f may remove it.
func (d *dir) each(f func(name string, isDir bool) error) error {
	// A descriptor of its own, so that reading begins at the start.
	r, err := d.up(".")
	if err != nil {
		return err
	}
	defer func() { _ = r.close() }()
	for {
		entries, err := r.f.ReadDir(readAhead)
		for _, e := range entries {
			if err := f(e.Name(), e.IsDir()); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// prune removes from a directory that an earlier run has begun what the source has not, or has no more.
func (n *node) prune(ctx context.Context) error {
	return n.dst.each(func(name string, isDir bool) error {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		m, err := n.src.lstat(name)
		if err == nil && !n.leftOut(name, m.mode.IsDir()) || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return n.dst.removeAll(name, isDir)
	})
}

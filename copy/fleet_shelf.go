package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// walkTo opens the folder rel below d. No symlink on the way is followed, and what d itself is called no longer counts: a
// file system that was unmounted meanwhile is an error and not another folder.
func (d *dir) walkTo(rel string) (*dir, error) {
	at, err := d.up(".")
	for name := range strings.SplitSeq(rel, "/") {
		if err != nil || name == "" {
			break
		}
		var next *dir
		next, err = at.sub(name)
		_ = at.close()
		at = next
	}
	if err != nil {
		return nil, err
	}
	return at, nil
}

// placeOf opens the folder that rel is in, which is not "".
func (h *heldFolders) placeOf(root *dir, rel, shown string) (place, error) {
	parent, err := h.open(root, above(rel))
	return place{dir: parent, name: rel[strings.LastIndexByte(rel, '/')+1:], shown: shown}, err
}

// localShelf is a source on a file system that all workers mount.
type localShelf struct {
	*run
	path string
	root *dir   // of a tree; for a file the folder that it is in
	name string // of a file in root; empty for a tree
	dev  uint64
	held heldFolders
}

func newLocalShelf(r *run, src string, single bool) (*localShelf, error) {
	s := &localShelf{run: r, path: src}
	at := src
	if single {
		if !r.Recursive { // cp -r takes a link as such
			real, err := filepath.EvalSymlinks(src)
			if err != nil {
				return nil, fmt.Errorf("cannot read %s: %w", src, because(err))
			}
			at = real
		}
		at, s.name = filepath.Split(at)
	}
	var err error
	if s.root, err = openDir(at); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", src, because(err))
	}
	m, err := s.root.meta()
	s.dev = m.dev
	return s, err
}

func (s *localShelf) shown(rel string) string {
	if rel == "" {
		return s.path
	}
	return within(s.path, rel)
}

func (s *localShelf) check(context.Context) error {
	_, err := s.root.meta()
	if err == nil && s.name == "" {
		var again *dir
		if again, err = s.root.up("."); err == nil {
			_ = again.close()
		}
	}
	if err != nil {
		return fmt.Errorf("cannot read %s any more: %w", s.path, because(err))
	}
	return nil
}

// place opens the folder that rel is in.
func (s *localShelf) place(rel string) (place, error) {
	var at place
	var err error
	if s.name != "" {
		at = place{name: s.name, shown: s.path}
		at.dir, err = s.root.up(".")
	} else {
		at, err = s.held.placeOf(s.root, rel, s.shown(rel))
	}
	if err != nil {
		err = fmt.Errorf("cannot read %s: %w", s.shown(rel), because(err))
	}
	return at, err
}

func (s *localShelf) list(ctx context.Context, rel string, each func(shelved) error) error {
	d, err := s.root.walkTo(rel)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", s.shown(rel), because(err))
	}
	defer func() { _ = d.close() }()
	if m, err := d.meta(); err == nil && s.OneFileSystem && m.dev != s.dev {
		return nil
	}
	for {
		entries, err := d.f.ReadDir(readAhead)
		for _, e := range entries {
			what := shelved{name: e.Name(), mode: e.Type()}
			if what.mode.IsRegular() {
				switch m, err := d.lstat(e.Name()); {
				case err == nil:
					what.mode, what.size = m.mode.Type(), m.size
				case errors.Is(err, fs.ErrNotExist):
					continue // it is gone
				} // what cannot be looked at fails, under its name, when it is to be copied
			}
			if err := each(what); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, syscall.EBADF): // it could only be opened to find things in it
			return fmt.Errorf("cannot read %s: %w", s.shown(rel), fs.ErrPermission)
		case err != nil:
			return fmt.Errorf("cannot read %s: %w", s.shown(rel), because(err))
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
	}
}

func (s *localShelf) file(rel string) (source, error) {
	at, err := s.place(rel)
	if err != nil {
		return nil, err
	}
	defer func() { _ = at.dir.close() }()
	from := &localSource{run: s.run, shown: at.shown}
	if from.file, err = at.dir.open(at.name); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", at.shown, because(err))
	}
	return from, nil
}

// version leaves out the numbers of device and inode and the time of the last change: not every file system tells them all
// machines alike.
func (s *localShelf) version(what found) string {
	return fmt.Sprintf("%d %d", what.size, what.mtime.UnixNano())
}

func (s *localShelf) close() { _ = s.root.close() }

// localFile returns the file that a source reads from, and what it says of itself, if it is one of this machine.
func localFile(from source, what found) (*os.File, meta) {
	if l, ok := from.(*localSource); ok {
		return l.file, l.meta
	}
	return nil, metaOfFound(what)
}

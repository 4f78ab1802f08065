package copy

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
)

// verifyWalk goes through two trees side by side, or through one, in the order of their names. It keeps the names of the
// folders it is in and no others. It follows no symlink: every name is looked up in its open folder.
type verifyWalk struct {
	filter *Filter
	omit   []fs.FileInfo
	dirs   []*verifyDir // the folders it is in, the root first
}

// verifyDir is a folder of the same name in both trees.
type verifyDir struct {
	rel                string   // from the roots, with slashes
	src, dst           *os.Root // dst is nil where only one tree is walked
	srcNames, dstNames []string // those not walked yet, sorted
	users              atomic.Int32
}

// verifyEntry is a name in one or both of the trees.
type verifyEntry struct {
	dir       *verifyDir // nil for the operands themselves
	name, rel string
	src, dst  fs.FileInfo // of the name itself, nil where there is none
}

// next returns the next name, or io.EOF. With another error, the entry says which name could not be looked up. Folders
// are walked only if enter is called.
func (w *verifyWalk) next() (verifyEntry, error) {
	for len(w.dirs) > 0 {
		d := w.dirs[len(w.dirs)-1]
		name, inSrc, inDst := d.nextName()
		if !inSrc && !inDst {
			w.dirs = w.dirs[:len(w.dirs)-1]
			d.release()
			continue
		}
		e := verifyEntry{dir: d, name: name, rel: name}
		if d.rel != "" {
			e.rel = d.rel + "/" + name
		}
		var srcErr, dstErr error
		if inSrc {
			e.src, srcErr = w.lookUp(d.src, e)
		}
		if inDst {
			e.dst, dstErr = w.lookUp(d.dst, e)
		}
		if err := firstError(srcErr, dstErr); err != nil {
			return e, err
		}
		if e.src != nil || e.dst != nil {
			return e, nil
		}
	}
	return verifyEntry{}, io.EOF
}

// lookUp returns what is under a name, or nil if it has gone since the folder was read or is left out.
func (w *verifyWalk) lookUp(root *os.Root, e verifyEntry) (fs.FileInfo, error) {
	info, err := root.Lstat(e.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, cannotRead(filepath.Join(root.Name(), e.name), err)
	case w.filter.Excludes(e.rel, info.IsDir()):
		return nil, nil
	case slices.ContainsFunc(w.omit, func(o fs.FileInfo) bool { return os.SameFile(o, info) }):
		return nil, nil
	}
	return info, nil
}

// enterRoots begins the walk; dst is empty to walk one tree.
func (w *verifyWalk) enterRoots(src, dst string) error {
	d := &verifyDir{}
	d.users.Store(1)
	var err error
	if d.src, err = os.OpenRoot(src); err != nil {
		err = cannotRead(src, err)
	} else if dst != "" {
		if d.dst, err = os.OpenRoot(dst); err != nil {
			err = cannotRead(dst, err)
		}
	}
	return w.push(d, err)
}

// enter makes next go on with what is in the folder e.
func (w *verifyWalk) enter(e verifyEntry) error {
	d := &verifyDir{rel: e.rel}
	d.users.Store(1)
	var err error
	if d.src, err = openSame(e.dir.src, e.name, e.src); err == nil && e.dir.dst != nil {
		d.dst, err = openSame(e.dir.dst, e.name, e.dst)
	}
	return w.push(d, err)
}

// openSame opens a folder, if it is still the one that was found: OpenRoot follows links within its root.
func openSame(root *os.Root, name string, found fs.FileInfo) (*os.Root, error) {
	sub, err := root.OpenRoot(name)
	if err != nil {
		return nil, cannotRead(filepath.Join(root.Name(), name), err)
	}
	if info, err := sub.Stat("."); err != nil || !os.SameFile(info, found) {
		_ = sub.Close()
		return nil, changedError(filepath.Join(root.Name(), name))
	}
	return sub, nil
}

// push reads the names of a folder whose roots could be opened.
func (w *verifyWalk) push(d *verifyDir, err error) error {
	if err == nil {
		d.srcNames, err = namesIn(d.src)
	}
	if err == nil && d.dst != nil {
		d.dstNames, err = namesIn(d.dst)
	}
	if err != nil {
		d.release()
		return err
	}
	w.dirs = append(w.dirs, d)
	return nil
}

func namesIn(root *os.Root) ([]string, error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, cannotRead(root.Name(), err)
	}
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, cannotRead(root.Name(), err)
	}
	slices.Sort(names)
	return names, nil
}

// close leaves all folders.
func (w *verifyWalk) close() {
	for _, d := range w.dirs {
		d.release()
	}
	w.dirs = nil
}

// nextName takes the first name that is left, and says on which sides it is; on none if none is left.
func (d *verifyDir) nextName() (name string, inSrc, inDst bool) {
	switch {
	case len(d.srcNames) == 0 && len(d.dstNames) == 0:
		return "", false, false
	case len(d.srcNames) == 0:
		name, inDst = d.dstNames[0], true
	case len(d.dstNames) == 0:
		name, inSrc = d.srcNames[0], true
	default:
		order := strings.Compare(d.srcNames[0], d.dstNames[0])
		name = min(d.srcNames[0], d.dstNames[0])
		inSrc, inDst = order <= 0, order >= 0
	}
	if inSrc {
		d.srcNames = d.srcNames[1:]
	}
	if inDst {
		d.dstNames = d.dstNames[1:]
	}
	return name, inSrc, inDst
}

// hold keeps the folder open until release is called once more. A nil folder, that of the operands, needs no care.
func (d *verifyDir) hold() {
	if d != nil {
		d.users.Add(1)
	}
}

func (d *verifyDir) release() {
	if d == nil || d.users.Add(-1) > 0 {
		return
	}
	for _, root := range []*os.Root{d.src, d.dst} {
		if root != nil {
			_ = root.Close()
		}
	}
}

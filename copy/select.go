package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// stays says whether what is in the destination is to stay, by what is said of it.
func (r *run) stays(now, src meta) bool {
	return r.NoClobber || r.Update && !now.mtime.Before(src.mtime)
}

// decide says whether the file is done with before any of it is copied.
func (f *file) decide(ctx context.Context) (bool, error) {
	if f.Checksum {
		same, err := f.hasSame(ctx)
		if same || err != nil {
			f.skip, f.current = same, same
			return true, err
		}
	}
	return f.DryRun, nil
}

// hasSame says whether the destination has the bytes of the source.
func (f *file) hasSame(ctx context.Context) (bool, error) {
	m, err := f.to.dir.lstat(f.to.name)
	if err != nil || !m.mode.IsRegular() || m.size != f.meta.size {
		return false, nil
	}
	out, err := f.to.dir.open(f.to.name)
	if err != nil {
		return false, nil // it will be replaced
	}
	defer func() { _ = out.Close() }()
	return f.equal(ctx, out, m.size, f.sum)
}

// leftOut says whether an entry of the source is not to be copied.
func (n *node) leftOut(name string, dir bool) bool {
	if n.tree.Filter == nil && n.tree.only == nil {
		return false
	}
	return n.tree.leftOut(n.relOf(name), dir)
}

func (t *tree) leftOut(rel string, dir bool) bool {
	return t.Filter.Excludes(rel, dir) || !t.only.has(rel, dir)
}

// only are the paths of a tree that are copied, whatever else is there. A nil *only is all.
type only struct {
	wanted map[string]bool // with all that is in them
	above  map[string]bool // folders on the way there
}

func newOnly(paths []string) (*only, error) {
	o := &only{wanted: map[string]bool{}, above: map[string]bool{}}
	for _, p := range paths {
		rel := strings.TrimPrefix(path.Clean("/"+p), "/")
		for _, part := range strings.Split(p, "/") {
			if part == ".." {
				return nil, usagef("%s leads out of the source", p)
			}
		}
		o.wanted[rel] = true
		for dir := path.Dir(rel); dir != "."; dir = path.Dir(dir) {
			o.above[dir] = true
		}
	}
	return o, nil
}

func (o *only) has(rel string, dir bool) bool {
	if o == nil || o.wanted[""] || dir && o.above[rel] {
		return true
	}
	for ; rel != "."; rel = path.Dir(rel) {
		if o.wanted[rel] {
			return true
		}
	}
	return false
}

// choose prepares what chooses among the entries of a tree.
func (t *tree) choose() error {
	if t.Only == nil {
		return nil
	}
	var err error
	t.only, err = newOnly(t.Only)
	return err
}

// reportMissing counts the paths of Only that the source has not as failed.
func (t *tree) reportMissing(ctx context.Context) error {
	if t.only == nil {
		return nil
	}
	for rel := range t.only.wanted {
		if rel == "" || t.root.has(rel) {
			continue
		}
		shown := within(t.src, rel)
		t.Progress.Grow(1, 0)
		if err := t.failed(ctx, shown, fmt.Errorf("cannot read %s: %w", shown, fs.ErrNotExist), true); err != nil {
			return err
		}
	}
	return nil
}

// has says whether there is an entry rel below n in the source. No link on the way is followed.
func (n *node) has(rel string) bool {
	at, err := n.src.up(".")
	for err == nil {
		name, rest, more := strings.Cut(rel, "/")
		if !more {
			_, err = at.lstat(name)
			_ = at.close()
			return !errors.Is(err, fs.ErrNotExist)
		}
		var next *dir
		next, err = at.sub(name)
		_ = at.close()
		at, rel = next, rest
	}
	return false
}

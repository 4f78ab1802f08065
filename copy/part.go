package copy

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// part is the file that gathers a destination's bytes, beside it, until it is whole. It is locked as long as it is
// open: no second run can take it over before it has its final name.
type part struct {
	f    *os.File
	dir  *dir
	name string
}

const (
	partSuffix = ".pace-part"
	maxName    = 255 // NAME_MAX of nearly every file system
	hashedLen  = 16  // bytes of the hash that stands for a name
)

// partName returns the name of the part file of a destination. Every run finds the same one, so that a dead run's is
// taken over. With hashed set, or for a name that would be too long, a hash stands for the name.
func partName(name string, hashed bool) string {
	if hashed || len(".")+len(name)+len(partSuffix) > maxName {
		sum := sha256.Sum256([]byte(name))
		name = fmt.Sprintf("%x", sum[:hashedLen])
	}
	return "." + name + partSuffix
}

// partPath is partName for a path.
func partPath(dst string, hashed bool) string {
	folder, name := filepath.Split(dst)
	return folder + partName(name, hashed)
}

// workPaths are the paths of all that a run may make beside dst until that is whole.
func workPaths(dst string) []string {
	return []string{partPath(dst, false), partPath(dst, true), journalPath(dst, false), journalPath(dst, true)}
}

// openPart makes or takes over the part file of to, with what it holds. src is the source, which it must not be.
func openPart(ctx context.Context, to place, src meta) (*part, error) {
	name := partName(to.name, to.hashed)
	f, err := lockPart(ctx, to, name)
	if isNameTooLong(err) {
		name = partName(to.name, true)
		f, err = lockPart(ctx, to, name)
	}
	if err != nil {
		return nil, err
	}
	m, err := statFile(f)
	if err == nil && sameFile(m, src) {
		err = usagef("the source is the part file of %s", to.shown)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &part{f, to.dir, name}, nil
}

// discard removes the part file. It is removed before it is unlocked: afterwards it may be another run's.
func (p *part) discard() {
	if p.named() {
		_ = p.dir.remove(p.name)
	}
	_ = p.f.Close()
}

// close unlocks the part file and leaves it where it is.
func (p *part) close() { _ = p.f.Close() }

// hashesPart says whether the part of name needs a hash for a name because the source has an entry of the plain one, or of
// the journal's: what was left of an earlier copy, and is copied like everything else. Both would be written into one file.
func (n *node) hashesPart(name string) (bool, error) {
	if !n.sourceHasPart(name, false) {
		return false, nil
	}
	if n.sourceHasPart(name, true) {
		return false, fmt.Errorf("cannot create %s: the source has entries of its part's names", n.into(name).shown)
	}
	return true, nil
}

func (n *node) sourceHasPart(name string, hashed bool) bool {
	return n.src.has(partName(name, hashed)) || n.src.has(journalName(name, hashed))
}

// has says whether d has, or may have, an entry.
func (d *dir) has(name string) bool {
	_, err := d.lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

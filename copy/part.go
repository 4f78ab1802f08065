package copy

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// part is the file that gathers a destination's bytes, beside it, until it is whole. It is locked as long as it is
// open: no second run can take it over before it has its final name.
type part struct {
	f    *os.File
	path string
}

const (
	partSuffix = ".pace-part"
	maxName    = 255 // NAME_MAX of nearly every file system
)

// partPath returns the path of the part file of dst. Every run finds the same one, so that a dead run's is taken over.
// With hashed set, or for a name that would be too long, a hash stands for the name.
func partPath(dst string, hashed bool) string {
	dir, name := filepath.Split(dst)
	if hashed || len(".")+len(name)+len(partSuffix) > maxName {
		sum := sha256.Sum256([]byte(name))
		name = fmt.Sprintf("%x", sum[:16])
	}
	return dir + "." + name + partSuffix
}

// openPart makes or takes over the part file of dst. src is the source, which it must not be.
func openPart(ctx context.Context, dst string, src fs.FileInfo) (*part, error) {
	path := partPath(dst, false)
	f, err := lockPart(ctx, path, dst)
	if isNameTooLong(err) {
		path = partPath(dst, true)
		f, err = lockPart(ctx, path, dst)
	}
	if err != nil {
		return nil, err
	}
	p := &part{f, path}
	info, err := f.Stat()
	switch {
	case err != nil:
	case os.SameFile(info, src):
		_ = f.Close()
		return nil, usagef("the source is the part file of %s", dst)
	default:
		err = f.Truncate(0)
	}
	if err != nil {
		p.discard()
		return nil, fmt.Errorf("cannot create %s: %w", dst, because(err))
	}
	return p, nil
}

// discard removes the part file. It is removed before it is unlocked: afterwards it may be another run's.
func (p *part) discard() {
	if p.named() {
		_ = os.Remove(p.path)
	}
	_ = p.f.Close()
}

package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/zeebo/xxh3"
)

// localGround is the folder on a file system that all workers mount where a fleet's copies land.
type localGround struct {
	*run
	path string
	base *dir
	job  string // the job's name
	id   string // stands for the job in the names of its parts: they never exist before with other content
	me   string // stands for this worker in those of the files that it copies alone, with a number for each

	former string // stands in theirs for a job of the same name that came to no end; mostly empty

	tries atomic.Int64
	held  heldFolders

	noNameless atomic.Bool // files without a name are not to be had, or cannot get one
}

func newLocalGround(r *run, path, job, id, worker string) (*localGround, error) {
	g := &localGround{run: r, path: path, job: job, id: shortHash(id), me: shortHash(worker)}
	var err error
	if g.base, err = openDir(path); err != nil {
		return nil, fmt.Errorf("cannot write to %s: %w", path, because(err))
	}
	return g, nil
}

func shortHash(text string) string { return fmt.Sprintf("%016x", xxh3.HashString(text)) }

func (g *localGround) shown(rel string) string {
	if rel == "" {
		return g.path
	}
	return within(g.path, rel)
}

func (g *localGround) close() { _ = g.base.close() }

// place opens the folder that rel is in.
func (g *localGround) place(rel string) (place, error) {
	at, err := g.held.placeOf(g.base, rel, g.shown(rel))
	if err != nil {
		err = fmt.Errorf("cannot create %s: %w", g.shown(rel), because(err))
	}
	return at, err
}

func (g *localGround) makeFolder(_ context.Context, rel string, making func() error) error {
	if rel == "" {
		return nil
	}
	at, err := g.place(rel)
	if err != nil {
		return err
	}
	defer func() { _ = at.dir.close() }()
	m, err := at.dir.lstat(at.name)
	switch {
	case err == nil && m.mode.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("cannot overwrite non-directory %s with a directory", at.shown)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot create directory %s: %w", at.shown, because(err))
	}
	if err := making(); err != nil {
		return err
	}
	if err := at.dir.mkdir(at.name); err != nil && !errors.Is(err, fs.ErrExist) {
		return at.dir.noInode(at.shown, fmt.Errorf("cannot create directory %s: %w", at.shown, because(err)))
	}
	return nil
}

func (g *localGround) endFolder(_ context.Context, rel string, made bool, from shelf, fromRel string) error {
	d, err := g.base.walkTo(rel)
	if err != nil {
		return fmt.Errorf("cannot write to directory %s: %w", g.shown(rel), because(err))
	}
	defer func() { _ = d.close() }()
	if err := g.removeStrays(d, rel); err != nil {
		return err
	}
	if local, ok := from.(*localShelf); ok && (made || g.Archive) {
		if err := g.keepFolder(d, local, fromRel); err != nil {
			return err
		}
	} else if made {
		if err := d.f.Chmod(0o777 &^ g.umask); err != nil {
			return fmt.Errorf("cannot keep the mode of %s: %w", g.shown(rel), because(err))
		}
	}
	if g.Fsync {
		return d.sync(g.shown(rel))
	}
	return nil
}

// removeStrays removes what killed workers have left in a folder in which nothing is written any more.
func (g *localGround) removeStrays(d *dir, rel string) error {
	err := d.each(func(name string, isDir bool) error {
		if !isDir && g.isStray(name) {
			_ = d.remove(name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", g.shown(rel), because(err))
	}
	return nil
}

func (g *localGround) keepFolder(d *dir, from *localShelf, rel string) error {
	src, err := from.root.walkTo(rel)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", from.shown(rel), because(err))
	}
	defer func() { _ = src.close() }()
	m, err := src.meta()
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", from.shown(rel), because(err))
	}
	return g.keep(d.f, src.f, from.shown(rel), m)
}

// isStray says whether a name is that of a part of this job, or of the one that it follows.
func (g *localGround) isStray(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, partSuffix) &&
		(strings.Contains(name, "."+g.id) || g.former != "" && strings.Contains(name, "."+g.former))
}

// partOf returns the name of a part file of this job, with what tells it from others of the same file.
func (g *localGround) partOf(name, more string) string {
	part := "." + name + "." + g.id + more + partSuffix
	if len(part) > maxName {
		part = "." + shortHash(name) + "." + g.id + more + partSuffix
	}
	return part
}

func (g *localGround) entry(_ context.Context, rel string, from shelf, fromRel string) (bool, error) {
	local, ok := from.(*localShelf)
	if !ok {
		return false, fmt.Errorf("%s is no file", from.shown(fromRel))
	}
	src, err := local.place(fromRel)
	if err != nil {
		return false, err
	}
	defer func() { _ = src.dir.close() }()
	m, err := src.dir.lstat(src.name)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", src.shown, because(err))
	}
	if m.mode.IsRegular() || m.mode.IsDir() {
		return false, &ChangedError{src.shown}
	}
	to, err := g.place(rel)
	if err != nil {
		return false, err
	}
	defer func() { _ = to.dir.close() }()
	skipped, err := g.makeSpecial(src, to, m)
	if errors.Is(err, fs.ErrExist) { // one that comes too late was making the same
		skipped, err = g.makeSpecial(src, to, m)
	}
	return skipped, to.dir.noInode(to.shown, err)
}

func (g *localGround) stays(ctx context.Context, rel, shown string, from source, what found) (bool, error) {
	at, err := g.place(rel)
	if err != nil {
		return false, err
	}
	defer func() { _ = at.dir.close() }()
	now, err := at.dir.lstat(at.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot create %s: %w", at.shown, because(err))
	}
	in, m := localFile(from, what)
	switch {
	case sameFile(now, m):
		return false, usagef("%s and %s are the same file", shown, at.shown)
	case now.mode.IsDir() && !g.NoClobber:
		return false, fmt.Errorf("cannot overwrite directory %s with non-directory %s", at.shown, shown)
	case g.run.stays(now, m):
		return true, nil
	case !g.Checksum:
		return false, nil
	case in == nil:
		return g.hasObject(ctx, at, now, from)
	}
	f := &file{incoming: incoming{run: g.run, to: at, meta: m}, in: in, from: place{shown: shown}}
	return f.hasSame(ctx)
}

func (g *localGround) small(rel string, from source, fence func() error) sink {
	return &fleetSmall{ground: g, rel: rel, from: from, fence: fence}
}

func (g *localGround) large(rel string, from source) sharedSink {
	return &fleetLarge{ground: g, rel: rel, from: from}
}

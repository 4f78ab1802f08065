package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/minio/minio-go/v7"
	"github.com/zeebo/xxh3"
)

// downTree brings the objects below a prefix, to be fetched into a folder.
type downTree struct {
	chooser
	it   item
	all  *lister
	root *dir
	seen map[uint64]bool // hashes of the paths that the store has; two with one hash only keep a file that could go
	over bool            // all are handed out
	// unclear is a key that a listing cannot have told as it is: what it stands for cannot be found here.
	unclear string
}

// check refuses what cannot be done whatever the store has.
func (t *downTree) check() error {
	if t.Delete {
		t.seen = map[uint64]bool{}
		if len(t.items) > 1 && t.it.dst == t.Dest {
			return usagef("--delete refused: what %s has not, another source may have brought to %s", t.it.src, t.it.dst)
		}
	}
	return nil
}

// open opens the folder, made if it is not there, when the store has shown that there is something for it.
func (t *downTree) open() error {
	info, err := os.Stat(t.it.dst)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("cannot overwrite non-directory %s with prefix %s", t.it.dst, t.it.src)
	}
	if t.DryRun && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Mkdir(t.it.dst, 0o777)
	}
	if err == nil {
		t.root, err = openDir(t.it.dst)
		t.live.add(t)
	}
	if err != nil {
		return fmt.Errorf("cannot create directory %s: %w", t.it.dst, because(err))
	}
	return nil
}

// abandon closes what a stopped run has left open.
func (t *downTree) abandon() {
	if t.root != nil {
		_ = t.root.close()
	}
}

func (t *downTree) next(ctx context.Context) (job, error) {
	for !t.over {
		first := !t.all.any
		rel, info, err := t.all.next(ctx)
		if err == nil && first {
			err = t.open()
		}
		switch {
		case err == io.EOF && first:
			t.over = true
			return t.alone(ctx, t.it)
		case err == io.EOF && t.Delete && t.root != nil:
			if t.engine.busy() {
				return nil, errBusy
			}
			t.over = true
			if t.unclear != "" {
				return nil, fmt.Errorf("--delete refused: the store does not tell what %s is called", t.unclear)
			}
			return t.deleteExtra, nil
		case err != nil:
			t.over = true
			return nil, err
		case rel == "":
			continue
		}
		if t.seen != nil {
			t.note(rel)
		}
		if t.leavesOut(rel) {
			continue
		}
		t.Progress.Grow(1, 0)
		return func(ctx context.Context) error { return t.fetch(ctx, rel, info) }, nil
	}
	if t.root != nil {
		if t.engine.busy() {
			return nil, errBusy
		}
		_ = t.root.close()
		t.root = nil
	}
	return nil, io.EOF
}

// note keeps that the store has a path, and the folders above it.
func (t *downTree) note(rel string) {
	if strings.ContainsRune(rel, utf8.RuneError) {
		t.unclear = t.it.from.below(rel).String()
	}
	for i := range len(rel) {
		if rel[i] == '/' {
			t.seen[xxh3.HashString(rel[:i])] = true
		}
	}
	t.seen[xxh3.HashString(rel)] = true
}

// fetch is the job that fetches an object of the tree.
func (t *downTree) fetch(ctx context.Context, rel string, info minio.ObjectInfo) error {
	from := object{t.it.from.bucket, info.Key}
	it := item{src: from.String(), dst: within(t.it.dst, rel), from: &from}
	parts := strings.Split(strings.TrimSuffix(rel, "/"), "/")
	for _, part := range parts {
		if !isFileName(part) {
			return t.failed(ctx, it.src, fmt.Errorf("cannot create %s: %q is no name for a file here", it.dst, part), true)
		}
	}
	if strings.HasSuffix(rel, "/") {
		return t.makeFolder(ctx, it, parts, info)
	}
	// With a choice to be made, an object's header comes first.
	listed := !t.Update && !t.NoClobber && !t.Checksum && !t.DryRun
	src := &s3Source{store: t.store, at: from, listed: listed, size: info.Size}
	what, err := src.open(ctx)
	t.Progress.Grow(0, max(what.size, 0))
	if err != nil {
		src.close()
		return t.failed(ctx, it.src, err, true)
	}
	it.info = remoteInfo{what}
	y := &relay{counted: what.size, run: t.run, src: it.src, dst: it.dst, from: src, what: what, far: true, begun: true}
	if t.root != nil {
		sink := &localSink{run: t.run, src: it.src, path: it.dst, parent: func() (place, error) { return t.place(parts, it.dst) }}
		y.to = sink
		skip, err := t.staysAt(ctx, src, what, sink)
		if err != nil {
			src.close()
			return t.failed(ctx, it.src, err, true)
		}
		if skip {
			src.close()
			t.Progress.ItemSkipped()
			return nil
		}
	}
	if t.DryRun {
		src.close()
		t.tell(it.src, it.dst)
		return nil
	}
	return y.start(ctx)
}

// makeFolder makes the folder that an object stands for.
func (t *downTree) makeFolder(ctx context.Context, it item, parts []string, info minio.ObjectInfo) error {
	if info.Size > 0 {
		err := fmt.Errorf("cannot create %s: it is to be a folder, and the object has bytes", it.dst)
		return t.failed(ctx, it.src, err, true)
	}
	if t.DryRun {
		t.tell(it.src, it.dst)
		return nil
	}
	d, err := t.folder(parts, it.dst)
	if err != nil {
		return t.failed(ctx, it.src, err, true)
	}
	_ = d.close()
	t.run.done(it.src, it.dst)
	return nil
}

// place returns the place of a file, in a folder that is opened for it alone.
func (t *downTree) place(parts []string, shown string) (place, error) {
	d, err := t.folder(parts[:len(parts)-1], shown)
	return place{dir: d, name: parts[len(parts)-1], shown: shown}, err
}

// folder opens the folder of a path below the root, made as far as it is not there. No link on the way is followed.
func (t *downTree) folder(parts []string, shown string) (*dir, error) {
	at, err := t.root.up(".")
	for _, name := range parts {
		if err != nil {
			break
		}
		var next *dir
		var old bool
		next, old, err = openOrMake(at, name)
		if err == nil && !old {
			err = next.f.Chmod(0o777 &^ t.umask)
		}
		_ = at.close()
		at = next
	}
	if err != nil {
		return nil, fmt.Errorf("cannot create %s: %w", shown, because(err))
	}
	return at, nil
}

// staysAt says whether what is there is to stay.
func (t *downTree) staysAt(ctx context.Context, src *s3Source, what found, to *localSink) (bool, error) {
	if t.DryRun {
		return false, nil
	}
	at, err := to.parent()
	if err != nil {
		return false, err
	}
	defer func() { _ = at.dir.close() }()
	now, err := at.dir.lstat(at.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("cannot create %s: %w", to.path, because(err))
	case now.mode.IsDir():
		return false, fmt.Errorf("cannot overwrite directory %s with an object", to.path)
	case t.NoClobber:
		return true, nil
	case !now.mode.IsRegular() && now.mode&fs.ModeSymlink == 0:
		return false, fmt.Errorf("cannot overwrite the %s %s", kind(now.mode), to.path)
	}
	if t.Checksum && now.mode.IsRegular() {
		f, err := at.dir.open(at.name)
		if err != nil {
			return false, fmt.Errorf("cannot read %s: %w", to.path, because(err))
		}
		same, err := t.run.sameFileAs(ctx, to.path, f, src)
		if same || err != nil {
			return same, err
		}
	}
	return t.stays(now, metaOfFound(what)), nil
}

// deleteExtra is the job that removes from the folder what the store has not.
func (t *downTree) deleteExtra(ctx context.Context) error {
	_, err := t.deleteIn(ctx, t.root, "")
	return err
}

// deleteIn does so in a folder of it, and returns whether all that was in it has gone.
func (t *downTree) deleteIn(ctx context.Context, d *dir, above string) (empty bool, err error) {
	empty = true
	var stop error
	err = d.each(func(name string, isDir bool) error {
		var gone bool
		gone, stop = t.deleteOne(ctx, d, name, above+name, isDir)
		empty = empty && gone
		return stop
	})
	if stop == nil && err != nil {
		shown := within(t.it.dst, above)
		return false, t.notRemoved(ctx, shown, err)
	}
	return empty, stop
}

func (t *downTree) deleteOne(ctx context.Context, d *dir, name, rel string, isDir bool) (gone bool, err error) {
	shown := within(t.it.dst, rel)
	switch {
	case ctx.Err() != nil:
		return false, cancelled(ctx)
	case t.Filter.Excludes(rel, isDir), unfinished(name):
		return false, nil
	}
	if isDir {
		sub, err := d.sub(name)
		if err != nil {
			return false, t.notRemoved(ctx, shown, err)
		}
		empty, err := t.deleteIn(ctx, sub, rel+"/")
		_ = sub.close()
		if !empty || err != nil {
			return false, err
		}
	}
	if t.seen[xxh3.HashString(rel)] {
		return false, nil
	}
	err = t.removeEntry(shown, func() error {
		if isDir {
			return d.rmdir(name)
		}
		return d.remove(name)
	})
	if err == nil || errors.Is(err, errStop) {
		return err == nil, nil
	}
	return false, t.notRemoved(ctx, shown, err)
}

func (t *downTree) notRemoved(ctx context.Context, shown string, err error) error {
	t.Progress.Grow(1, 0)
	return t.failed(ctx, shown, fmt.Errorf("cannot remove %s: %w", shown, because(err)), true)
}

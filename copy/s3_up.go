package copy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"unicode/utf8"
)

// upTree brings the files of a folder, to be sent below a prefix.
type upTree struct {
	chooser
	it      item
	stack   []*upLevel
	dev     uint64
	deleter *objectDeleter
}

// upLevel is a folder that the walk is in.
type upLevel struct {
	dir     *dir
	rel     string // with a slash at the end, but for the root
	entries []fs.DirEntry
}

func (t *upTree) open() error {
	root, err := openDir(t.it.src)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", t.it.src, because(err))
	}
	l := &upLevel{dir: root}
	m, err := root.meta()
	if err == nil {
		t.dev = m.dev
		err = l.fill()
	}
	if err != nil {
		_ = root.close()
		return fmt.Errorf("cannot read %s: %w", t.it.src, because(err))
	}
	t.stack = append(t.stack, l)
	t.live.add(t)
	if t.Delete && len(l.entries) == 0 {
		t.close()
		return usagef("--delete refused: %s is empty, and nothing of %s would be left", t.it.src, t.it.dst)
	}
	if t.Delete && t.it.merge && len(t.items) > 1 {
		t.close()
		return usagef("--delete refused: what %s has not, another source may have brought to %s", t.it.src, t.it.dst)
	}
	return nil
}

// abandon closes what a stopped run has left open.
func (t *upTree) abandon() { t.close() }

func (t *upTree) close() {
	for _, l := range t.stack {
		_ = l.dir.close()
	}
	t.stack = nil
}

// fill reads a folder, in the order of names, folders last: so most files are sent before the next folder is opened.
func (l *upLevel) fill() error {
	var err error
	l.entries, err = l.dir.f.ReadDir(-1)
	slices.SortFunc(l.entries, func(a, b fs.DirEntry) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name(), b.Name()))
	})
	return err
}

func (t *upTree) next(ctx context.Context) (job, error) {
	for len(t.stack) > 0 {
		if ctx.Err() != nil {
			t.close()
			return nil, cancelled(ctx)
		}
		l := t.stack[len(t.stack)-1]
		if len(l.entries) == 0 {
			_ = l.dir.close()
			t.stack = t.stack[:len(t.stack)-1]
			continue
		}
		e := l.entries[0]
		l.entries = l.entries[1:]
		j, err := t.entry(ctx, l, e)
		if j != nil || err != nil {
			return j, err
		}
	}
	if t.deleter == nil {
		if !t.Delete {
			return nil, io.EOF
		}
		t.deleter = &objectDeleter{chooser: t.chooser, all: &lister{store: t.store, at: *t.it.to}, has: t.has}
	}
	return t.deleter.next(ctx)
}

// has says whether the folder has an entry, or may have: what cannot be looked at counts as there.
func (t *upTree) has(_ context.Context, rel string) (bool, error) {
	d, err := openDir(t.it.src)
	if err != nil {
		return true, fmt.Errorf("cannot read %s: %w", t.it.src, because(err))
	}
	defer func() { _ = d.close() }()
	n := &node{src: d}
	for rel != "" && rel[len(rel)-1] == '/' {
		rel = rel[:len(rel)-1]
	}
	return n.has(rel), nil
}

// entry returns the job of an entry, or enters it. Without either, there is nothing to do for it.
func (t *upTree) entry(ctx context.Context, l *upLevel, e fs.DirEntry) (job, error) {
	rel := l.rel + e.Name()
	shown := within(t.it.src, rel)
	if t.out(rel, e.IsDir()) {
		return nil, nil
	}
	to := t.it.to.below(toSlash(rel))
	if e.IsDir() {
		return nil, t.enter(ctx, l, e.Name(), shown)
	}
	t.Progress.Grow(1, 0)
	if !e.Type().IsRegular() {
		t.warn("entries that are no files", shown, errNoObject)
		t.Progress.ItemSkipped()
		return nil, nil
	}
	f, err := l.dir.open(e.Name())
	if err == nil && !utf8.ValidString(to.key) {
		_ = f.Close()
		err = errors.New("its name is not UTF-8, which keys of objects are")
	}
	if err != nil {
		return nil, t.failed(ctx, shown, fmt.Errorf("cannot send %s: %w", shown, because(err)), true)
	}
	it := item{src: shown, dst: to.String(), to: &to}
	src := &localSource{run: t.run, shown: shown, file: f}
	t.live.add(src)
	return func(ctx context.Context) error {
		t.live.remove(src)
		return t.copyFound(ctx, it, src)
	}, nil
}

var errNoObject = errors.New("an object is a file")

func (t *upTree) enter(ctx context.Context, l *upLevel, name, shown string) error {
	sub, err := l.dir.sub(name)
	if err == nil {
		below := &upLevel{dir: sub, rel: l.rel + name + "/"}
		var m meta
		if m, err = sub.meta(); err == nil && t.OneFileSystem && m.dev != t.dev {
			return sub.close()
		}
		if err == nil {
			err = below.fill()
		}
		if err == nil {
			t.stack = append(t.stack, below)
			return nil
		}
		_ = sub.close()
	}
	t.Progress.Grow(1, 0)
	return t.failed(ctx, shown, fmt.Errorf("cannot read %s: %w", shown, because(err)), true)
}

package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
)

// feed brings the jobs of a tree, one after another, and io.EOF when there are no more. It is called by one worker at a
// time.
type feed func(context.Context) (job, error)

// feedOf returns what brings the jobs of a tree that is, or goes, below a prefix. An error ends the tree.
func (r *run) feedOf(it item) feed {
	var f feed
	begun := false
	return func(ctx context.Context) (job, error) {
		var err error
		if f == nil {
			f, err = r.openFeed(ctx, it)
		}
		var j job
		if err == nil {
			j, err = f(ctx)
		}
		switch {
		case err == nil:
			begun = true
			return j, nil
		case errors.Is(err, errBusy):
			return nil, err
		}
		r.unopenedOne()
		if err != io.EOF {
			r.Progress.Grow(1, 0)
			if err := r.failed(ctx, it.src, err, begun); err != nil {
				return nil, err
			}
		}
		return nil, io.EOF
	}
}

func (r *run) openFeed(ctx context.Context, it item) (feed, error) {
	choose, err := r.newChooser()
	if err != nil {
		return nil, err
	}
	switch {
	case it.from != nil && it.to != nil:
		t := &withinTree{chooser: choose, it: it, all: &lister{store: r.store, at: *it.from}}
		return t.next, t.check()
	case it.from != nil:
		t := &downTree{chooser: choose, it: it, all: &lister{store: r.store, at: *it.from}}
		return t.next, t.check()
	}
	t := &upTree{chooser: choose, it: it}
	return t.next, t.open()
}

// alone returns the job for a prefix below which there is nothing: it may be an object itself.
func (r *run) alone(ctx context.Context, it item) (job, error) {
	if !it.from.isFolder() {
		_, there, err := r.store.look(ctx, *it.from)
		if err != nil {
			return nil, err
		}
		if there {
			if err := r.landAlone(&it); err != nil {
				return nil, err
			}
			r.unopened.Add(1)
			r.Progress.Grow(1, 0)
			return func(ctx context.Context) error { return r.copyObject(ctx, it) }, nil
		}
	}
	if r.Delete {
		return nil, usagef("--delete refused: there is nothing below %s, and nothing of %s would be left", it.src, it.dst)
	}
	return nil, fmt.Errorf("there is nothing below %s", it.src)
}

// landAlone makes the item of a tree that of one object: it has a name, and goes into a folder by that.
func (r *run) landAlone(it *item) error {
	it.prefix = false
	switch info, err := os.Stat(it.dst); {
	case r.NoTargetDir:
	case it.to != nil && it.to.isFolder():
		to := it.to.below(it.from.base())
		it.to, it.dst = &to, to.String()
	case it.to == nil && it.dst == r.Dest && err == nil && info.IsDir():
		it.dst = within(it.dst, it.from.base())
		return checkBase(it.src, it.from.base())
	}
	return nil
}

// withinTree copies what is below a prefix to another one, without its bytes coming by.
type withinTree struct {
	chooser
	it      item
	all     *lister
	over    bool // there was one object, and that is no tree
	deleter *objectDeleter
}

func (t *withinTree) check() error {
	from, to := *t.it.from, *t.it.to
	a, b := from.prefix(), to.prefix()
	if from.bucket == to.bucket && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) {
		return usagef("cannot copy %s to %s: one is in the other", from, to)
	}
	return nil
}

func (t *withinTree) next(ctx context.Context) (job, error) {
	for t.deleter == nil {
		rel, _, err := t.all.next(ctx)
		switch {
		case t.over:
			return nil, io.EOF
		case err == io.EOF && !t.all.any:
			t.over = true
			return t.alone(ctx, t.it)
		case err == io.EOF && t.Delete:
			t.deleter = &objectDeleter{chooser: t.chooser, all: &lister{store: t.store, at: *t.it.to}, has: t.has}
			continue
		case err != nil:
			return nil, err
		case t.leavesOut(rel), rel == "" && t.it.to.key == "": // the prefix may be an object; a bucket is none
			continue
		}
		from, to := t.it.from.below(rel), t.it.to.below(rel)
		it := item{src: from.String(), dst: to.String(), from: &from, to: &to}
		t.Progress.Grow(1, 0)
		return func(ctx context.Context) error {
			return t.copyFound(ctx, it, &s3Source{store: t.store, at: from})
		}, nil
	}
	return t.deleter.next(ctx)
}

func (t *withinTree) has(ctx context.Context, rel string) (bool, error) {
	_, there, err := t.store.look(ctx, t.it.from.below(rel))
	return there, err
}

// copyFound opens a source of a tree, and copies it.
func (r *run) copyFound(ctx context.Context, it item, from source) error {
	what, err := from.open(ctx)
	r.Progress.Grow(0, max(what.size, 0))
	if err != nil {
		from.close()
		return r.failed(ctx, it.src, err, true)
	}
	it.info = remoteInfo{what}
	return r.relayObject(ctx, it, from, what, true)
}

// objectDeleter removes the objects below a prefix that a source has not.
type objectDeleter struct {
	chooser
	all *lister
	has func(ctx context.Context, rel string) (bool, error)
}

// next waits until all is copied.
func (d *objectDeleter) next(ctx context.Context) (job, error) {
	if d.engine.busy() {
		return nil, errBusy
	}
	d.chooser.only = nil // what was not to be copied is there all the same
	for {
		rel, info, err := d.all.next(ctx)
		if err != nil {
			return nil, err
		}
		if rel == "" || d.leavesOut(rel) {
			continue
		}
		return func(ctx context.Context) error { return d.deleteOne(ctx, rel, info) }, nil
	}
}

func (d *objectDeleter) deleteOne(ctx context.Context, rel string, info minio.ObjectInfo) error {
	at := object{d.all.at.bucket, info.Key}
	has, err := d.has(ctx, rel)
	if err == nil && !has {
		err = d.removeEntry(at.String(), func() error {
			return d.store.insist(ctx, func(ctx context.Context) error {
				return d.store.core.RemoveObject(ctx, at.bucket, at.key, minio.RemoveObjectOptions{})
			})
		})
	}
	if err == nil || errors.Is(err, errStop) {
		return nil
	}
	d.Progress.Grow(1, 0)
	return d.failed(ctx, at.String(), fmt.Errorf("cannot remove %s: %w", at, err), true)
}

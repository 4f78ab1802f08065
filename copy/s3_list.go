package copy

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/minio/minio-go/v7"
)

// lister goes through the objects below a prefix, a page at a time, in the order of their keys.
type lister struct {
	*store
	at    object // a prefix; a slash is meant to follow it
	last  string // key
	page  []minio.ObjectInfo
	ended bool
	any   bool // there was one
	level bool // only those without another slash, and as folders what stands before one
}

const listPage = 1000 // keys that a store gives at once at most

// prefix is what the keys begin with.
func (o object) prefix() string {
	if o.isFolder() {
		return o.key
	}
	return o.key + "/"
}

// next returns the next object with its key below the prefix, or io.EOF.
func (l *lister) next(ctx context.Context) (rel string, info minio.ObjectInfo, err error) {
	for len(l.page) == 0 {
		if l.ended {
			return "", info, io.EOF
		}
		if err := l.fill(ctx); err != nil {
			return "", info, err
		}
	}
	info, l.page = l.page[0], l.page[1:]
	l.any = true
	return strings.TrimPrefix(info.Key, l.at.prefix()), info, nil
}

// fill gets a page. A request that fails does not begin the listing again.
func (l *lister) fill(ctx context.Context) error {
	return l.insist(ctx, func(ctx context.Context) error {
		l.page, l.ended = l.page[:0], true
		last, ordered, n := l.last, true, 0
		for info := range l.core.ListObjectsIter(ctx, l.at.bucket, minio.ListObjectsOptions{
			Prefix: l.at.prefix(), Recursive: !l.level, StartAfter: last, MaxKeys: listPage,
		}) {
			if info.Err != nil {
				return info.Err
			}
			// Where a name cannot be told in XML, some stores tell another, which is out of order.
			ordered = ordered && (info.Key > last || l.level) // a page has its folders at its end
			last = max(last, info.Key)
			if !l.level || info.Key != l.last { // a folder is told again after itself
				l.page = append(l.page, info)
			}
			if n++; n == listPage {
				l.ended = false
				break
			}
		}
		if !ordered && (!l.ended || l.last != "") {
			return errors.New("the store lists objects in no order, so that none could be found again after a failure")
		}
		l.last = last
		return ctx.Err()
	})
}

// chosen says whether a path of a tree is to be copied: so must be all folders above it.
type chooser struct {
	*run
	only *only
}

func (r *run) newChooser() (chooser, error) {
	c := chooser{run: r}
	var err error
	if r.Only != nil {
		c.only, err = newOnly(r.Only)
	}
	return c, err
}

func (c chooser) out(rel string, dir bool) bool {
	return c.Filter.Excludes(rel, dir) || !c.only.has(rel, dir)
}

func (c chooser) leavesOut(rel string) bool {
	for i := range len(rel) {
		if rel[i] == '/' && c.out(rel[:i], true) {
			return true
		}
	}
	return c.out(strings.TrimSuffix(rel, "/"), strings.HasSuffix(rel, "/"))
}

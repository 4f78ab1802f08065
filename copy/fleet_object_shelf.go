package copy

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// objectShelf is a source in an object store. What stands before a slash in a key is a folder of it.
type objectShelf struct {
	*run
	at     object
	single bool
	files  bool // the destination has files, which not every key can name
}

func (s *objectShelf) place(rel string) object {
	if s.single {
		return s.at
	}
	return s.at.below(rel)
}

func (s *objectShelf) shown(rel string) string {
	if rel == "" {
		return s.at.String()
	}
	return s.place(rel).String()
}

func (s *objectShelf) file(rel string) (source, error) {
	return &s3Source{store: s.store, at: s.place(rel)}, nil
}

// version is what the store tells contents apart by.
func (s *objectShelf) version(what found) string {
	id := what.id
	if id == nil {
		id = &identity{size: what.size, mtime: what.mtime.UnixNano()}
	}
	return fmt.Sprintf("%x %x %d %d %d", id.dev, id.ino, id.size, id.mtime, id.ctime)
}

// check has nothing to look at: a store that is another one, or cannot be reached, says so with each request.
func (s *objectShelf) check(context.Context) error { return nil }

func (s *objectShelf) close() {}

func (s *objectShelf) list(ctx context.Context, rel string, each func(shelved) error) error {
	at := s.at
	if rel != "" {
		at = s.at.below(rel)
	}
	all := &lister{store: s.store, at: at, level: true}
	for {
		name, info, err := all.next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot list %s: %w", at, err)
		}
		folder, isFolder := strings.CutSuffix(name, "/")
		switch {
		case name == "":
			err = s.marker(rel, each)
		case isFolder && folder == "":
			err = s.odd(ctx, rel, object{at.bucket, info.Key}, each)
		case isFolder:
			err = each(s.named(shelved{name: folder, mode: fs.ModeDir}))
		default:
			err = each(s.named(shelved{name: name, size: info.Size}))
		}
		if err != nil {
			return err
		}
	}
}

// named notes what cannot be a file.
func (s *objectShelf) named(what shelved) shelved {
	if s.files && !isFileName(what.name) {
		what.err = fmt.Errorf("%q is no name for a file here", what.name)
	}
	return what
}

// marker is an object whose key ends with a slash, which some tools make for a folder. Among files it is the folder.
func (s *objectShelf) marker(rel string, each func(shelved) error) error {
	if s.files || rel == "" {
		return nil
	}
	return each(shelved{rel: rel + "/"})
}

// odd lists keys with a part that is empty: no folder can stand for that, so they all are of the folder before.
func (s *objectShelf) odd(ctx context.Context, rel string, at object, each func(shelved) error) error {
	all := &lister{store: s.store, at: at}
	for {
		_, info, err := all.next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot list %s: %w", at, err)
		}
		what := shelved{rel: strings.TrimPrefix(info.Key, s.at.prefix()), size: info.Size}
		if s.files {
			what.err = fmt.Errorf("%q is no name for a file here", "")
		}
		if err := each(what); err != nil {
			return err
		}
	}
}

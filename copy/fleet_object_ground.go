package copy

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// objectGround is the bucket of an object store where a fleet's copies land. It is the same for all workers, and needs no
// mark; it has no folders, and nothing that is not whole has a name in it.
type objectGround struct {
	*run
	bucket string
	since  time.Time // before which no upload is the job's
}

// mostSkew is how far the clocks of a store and of who asks it are apart at most: it refuses requests of other times.
//
//	https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (RequestTimeTooSkewed)
const mostSkew = 15 * time.Minute

func newObjectGround(r *run, at object, begun time.Time) *objectGround {
	return &objectGround{run: r, bucket: at.bucket, since: begun.Add(-mostSkew)}
}

func (g *objectGround) mark(context.Context, string) error   { return nil }
func (g *objectGround) marked(context.Context, string) error { return nil }
func (g *objectGround) unmark(context.Context) error         { return nil }
func (g *objectGround) sync(context.Context) error           { return nil } // what the store has, it keeps
func (g *objectGround) close()                               {}

func (g *objectGround) makeFolder(context.Context, string, func() error) error       { return nil }
func (g *objectGround) endFolder(context.Context, string, bool, shelf, string) error { return nil }

func (g *objectGround) place(rel string) object { return object{g.bucket, rel} }
func (g *objectGround) shown(rel string) string { return g.place(rel).String() }

func (g *objectGround) entry(_ context.Context, _ string, from shelf, fromRel string) (bool, error) {
	g.warn("entries that are no files", from.shown(fromRel), errNoObject)
	return true, nil
}

func (g *objectGround) stays(ctx context.Context, rel, _ string, from source, what found) (bool, error) {
	at := g.place(rel)
	if src, ok := from.(*s3Source); ok && src.at == at {
		return false, usagef("%s and %s are the same object", src.at, at)
	}
	if !utf8.ValidString(rel) {
		return false, errors.New("its name is not UTF-8, which keys of objects are")
	}
	return g.staysThere(ctx, at, &relay{from: from, what: what})
}

// sink returns the sink of an object that begins its own upload: one that was there before may be in the hands of a worker
// that is not as dead as it seems.
func (g *objectGround) sink(rel string, from source) *s3Sink {
	at := g.place(rel)
	s := g.sinkOf(at.String(), at, from)
	s.fresh = true
	return s
}

func (g *objectGround) small(rel string, from source, fence func() error) sink {
	return &fleetObject{s3Sink: g.sink(rel, from), ground: g, fence: fence}
}

func (g *objectGround) large(rel string, from source) sharedSink {
	return &fleetUpload{s3Sink: g.sink(rel, from), ground: g, reader: from}
}

// endOthers ends the uploads of an object that workers have begun and not ended since the job began, but for one.
func (g *objectGround) endOthers(ctx context.Context, s *s3Sink, id string) {
	all, err := s.unfinished(ctx)
	if err != nil {
		g.Log.Info("cannot look for unfinished uploads", "item", s.at.String(), "reason", err)
		return
	}
	for _, u := range all {
		if u.UploadID != id && u.Initiated.After(g.since) {
			s.end(u.UploadID)
		}
	}
}

// hasObject says whether a file has the bytes of an object.
func (g *localGround) hasObject(ctx context.Context, at place, now meta, from source) (bool, error) {
	src, ok := from.(*s3Source)
	if !ok || !now.mode.IsRegular() {
		return false, nil
	}
	f, err := at.dir.open(at.name)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", at.shown, because(err))
	}
	return g.sameFileAs(ctx, at.shown, f, src)
}

// fleetObject is an object that one worker of a fleet sends alone.
type fleetObject struct {
	*s3Sink
	ground *objectGround
	fence  func() error
}

func (s *fleetObject) write(ctx context.Context, p []byte, off int64) error {
	if err := s.fence(); err != nil {
		return err
	}
	return s.s3Sink.write(ctx, p, off)
}

func (s *fleetObject) copyPart(ctx context.Context, c chunk) error {
	if err := s.fence(); err != nil {
		return err
	}
	return s.s3Sink.copyPart(ctx, c)
}

func (s *fleetObject) commit(ctx context.Context, size int64) (bool, error) {
	if err := s.fence(); err != nil {
		return false, err
	}
	uploaded := s.id != ""
	kept, err := s.s3Sink.commit(ctx, size)
	if uploaded && err == nil && s.fence() == nil {
		s.ground.endOthers(ctx, s.s3Sink, "")
	}
	return kept, err
}

func (s *fleetObject) abort(bool) bool {
	s.abortUpload()
	return true
}

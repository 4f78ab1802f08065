package copy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"

	"github.com/minio/minio-go/v7"
)

// openStoreIfAny opens the object store if an item needs it.
func (w *web) openStoreIfAny() (*store, error) {
	if !slices.ContainsFunc(w.items, func(it item) bool { return it.from != nil || it.to != nil }) {
		return nil, nil
	}
	return w.openStore()
}

// copyObject is the job that looks for a source and begins to copy it, where either end is in an object store.
func (r *run) copyObject(ctx context.Context, it item) error {
	from, err := r.sourceOf(it)
	if err != nil {
		r.unopenedOne()
		return r.failed(ctx, it.src, err, false)
	}
	what, err := r.openRemote(ctx, from)
	if err != nil {
		from.close()
		return r.failed(ctx, it.src, err, false)
	}
	if it.unnamed {
		to := it.to.below(what.name)
		it.to, it.dst = &to, to.String()
	}
	if it.info == nil {
		it.info = remoteInfo{what}
	}
	return r.relayObject(ctx, it, from, what, false)
}

// unopenedOne notes that a source was looked at.
func (r *run) unopenedOne() {
	if r.unopened.Add(-1) == 0 {
		r.Progress.SetTotalKnown()
	}
}

// sourceOf returns the source of an item.
func (r *run) sourceOf(it item) (source, error) {
	switch {
	case it.from != nil:
		if it.from.isFolder() {
			return nil, fmt.Errorf("-r not specified; omitting prefix %s", it.src)
		}
		return &s3Source{store: r.store, at: *it.from}, nil
	case it.url != nil:
		return newHTTPSource(r.web, it.url, it.src), nil
	case it.err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", it.src, because(it.err))
	case it.info.IsDir():
		return nil, fmt.Errorf("-r not specified; omitting directory %s", it.src)
	case !it.info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is a %s: only regular files can be copied", it.src, kind(it.info.Mode()))
	}
	return &localSource{run: r, shown: it.src}, nil
}

// relayObject copies what was found. inTree says that a tree has it.
func (r *run) relayObject(ctx context.Context, it item, from source, what found, inTree bool) error {
	y := &relay{
		counted: max(what.size, 0), run: r, src: it.src, dst: it.dst, from: from, what: what, far: it.to == nil, begun: inTree,
	}
	skip, err := r.aimObject(ctx, y, it)
	switch {
	case err != nil:
		from.close()
		return r.failed(ctx, it.src, err, inTree)
	case skip:
		from.close()
		r.Progress.ItemSkipped()
		return nil
	case r.DryRun:
		from.close()
		r.tell(it.src, it.dst)
		return nil
	}
	return y.start(ctx)
}

// aimObject decides where what was found goes.
func (r *run) aimObject(ctx context.Context, y *relay, it item) (skip bool, err error) {
	if it.to == nil {
		return r.aimHere(ctx, y, it)
	}
	if from, ok := y.from.(*s3Source); ok && from.at == *it.to {
		return false, usagef("%s and %s are the same object", it.src, it.dst)
	}
	y.to = r.sinkOf(it.src, *it.to, y.from)
	if skip, err := r.claimObject(it); skip || err != nil {
		return skip, err
	}
	return r.staysThere(ctx, *it.to, y)
}

// sinkOf returns the sink of an object, as a source that is open may be sent there.
func (r *run) sinkOf(src string, at object, from source) *s3Sink {
	sink := newS3Sink(r.store, src, at)
	switch from := from.(type) {
	case *localSource:
		sink.from = from
	case *s3Source:
		sink.origin = from
		if r.Expect == nil && !r.Verify && from.info.ETag != "" { // else its bytes have to come by
			sink.within = from
		}
	}
	return sink
}

// aimHere decides where an object goes on this machine.
func (r *run) aimHere(ctx context.Context, y *relay, it item) (skip bool, err error) {
	if from, ok := y.from.(*s3Source); ok && r.Checksum && r.Output == nil {
		if info, err := os.Stat(it.dst); err == nil && info.Mode().IsRegular() {
			f, err := os.Open(it.dst)
			if err != nil {
				return false, fmt.Errorf("cannot read %s: %w", it.dst, because(err))
			}
			if same, err := r.sameFileAs(ctx, it.dst, f, from); same || err != nil {
				return same, err
			}
		}
	}
	return r.aim(y, it)
}

// claimObject decides about an item whose object an earlier one has made.
func (r *run) claimObject(it item) (skip bool, err error) {
	r.claiming.Lock()
	defer r.claiming.Unlock()
	if it.prefix || len(r.items) == 1 {
		return false, nil
	}
	if r.dests[it.dst] != nil {
		if r.NoClobber {
			return true, nil
		}
		return false, fmt.Errorf("will not overwrite just-created %s with %s", it.dst, it.src)
	}
	r.dests[it.dst] = it.info
	return false, nil
}

// staysThere says whether the object is to stay as it is.
func (r *run) staysThere(ctx context.Context, at object, y *relay) (bool, error) {
	if !r.NoClobber && !r.Update && !r.Checksum {
		return false, nil
	}
	now, there, err := r.store.look(ctx, at)
	if err != nil || !there {
		return false, err
	}
	if r.NoClobber {
		return true, nil
	}
	if r.Checksum {
		if same, err := r.store.sameObject(ctx, y.from, y.what, now); same || err != nil || !r.Update {
			return same, err
		}
	}
	is, what := now.LastModified, y.what
	if t, ok := storedTime(now.UserMetadata); ok {
		is = t
	}
	return is.After(what.mtime) || is.Equal(what.mtime) && now.Size == max(what.size, 0), nil
}

// look says what object is at a place, if there is one.
func (s *store) look(ctx context.Context, at object) (info minio.ObjectInfo, there bool, err error) {
	err = s.insist(ctx, func(ctx context.Context) (err error) {
		info, err = s.core.StatObject(ctx, at.bucket, at.key, minio.StatObjectOptions{Checksum: true})
		return err
	})
	if isMissing(err) {
		return info, false, nil
	}
	if err != nil {
		return info, false, fmt.Errorf("cannot look at %s: %w", at, s.explained(ctx, at, err))
	}
	return info, true, nil
}

// explained asks once more for what was refused when its header was asked for: that answer has no body, which would have
// said why.
func (s *store) explained(ctx context.Context, at object, err error) error {
	var e *StoreError
	if !errors.As(err, &e) || e.Status >= 500 {
		return err
	}
	again := s.insist(ctx, func(ctx context.Context) error {
		opts := minio.GetObjectOptions{}
		if err := opts.SetRange(0, 0); err != nil {
			return err
		}
		body, _, _, err := s.core.GetObject(ctx, at.bucket, at.key, opts)
		if err == nil {
			err = body.Close()
		}
		return err
	})
	var why *StoreError
	if errors.As(again, &why) && why.Status == e.Status {
		return why
	}
	return err
}

// isMissing says whether err is that there is no such object.
func isMissing(err error) bool {
	var e *StoreError
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.Code != minio.NoSuchBucket
}

// sameFileAs says whether an open file, which it closes, has the bytes of an object.
func (r *run) sameFileAs(ctx context.Context, shown string, f *os.File, from *s3Source) (bool, error) {
	local := &localSource{run: r, shown: shown, file: f}
	defer local.close()
	what, err := local.open(ctx)
	if err != nil {
		return false, err
	}
	return r.store.sameObject(ctx, local, what, from.info)
}

package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// s3Source is one object. Every chunk is a request of its own, for the version that open has found and for no other.
type s3Source struct {
	*store
	at object
	// listed says that a listing has shown it, and how large it was: what is small is fetched with the first request.
	listed bool
	size   int64

	info  minio.ObjectInfo
	first io.ReadCloser // the whole of a small object, not read yet
}

func (s *s3Source) open(ctx context.Context) (found, error) {
	s.close()
	small := s.listed && s.size <= fewestAsked
	err := s.insist(ctx, func(ctx context.Context) (err error) {
		if small {
			s.first, s.info, _, err = s.core.GetObject(ctx, s.at.bucket, s.at.key, minio.GetObjectOptions{})
			return err
		}
		s.info, err = s.core.StatObject(ctx, s.at.bucket, s.at.key, minio.StatObjectOptions{Checksum: s.Checksum})
		return err
	})
	if err != nil {
		return found{}, s.cannot(s.explained(ctx, s.at, err))
	}
	// A small object that has grown since is read like any other.
	if small && s.info.Size > fewestAsked {
		s.close()
		small = false
	}
	what := found{
		size: s.info.Size, ranges: s.info.Size > 0 && !small, mode: s.newMode(), mtime: s.info.LastModified, name: s.at.base(),
		id: s.identity(),
	}
	if t, ok := storedTime(s.info.UserMetadata); ok {
		what.mtime = t
	}
	if m, ok := storedMode(s.info.UserMetadata); ok {
		what.mode = m
	}
	return what, nil
}

// identity is what a later run recognises the same content by: the store's name for it.
func (s *s3Source) identity() *identity {
	if s.info.ETag == "" {
		return nil
	}
	v := version{
		etag:     s.info.ETag + "\x00" + s.info.VersionID,
		modified: s.info.LastModified.UTC().Format(http.TimeFormat),
	}
	return v.identity(s.endpoint+" "+s.at.String(), s.info.Size)
}

func (s *s3Source) cannot(err error) error { return fmt.Errorf("cannot read %s: %w", s.at, err) }

// unchanged has nothing to look at: every request was for one version.
func (s *s3Source) unchanged(context.Context) error { return nil }

func (s *s3Source) close() {
	if s.first != nil {
		_ = s.first.Close()
		s.first = nil
	}
}

func (s *s3Source) read(ctx context.Context, c chunk) io.ReadCloser {
	r := &s3Reader{s3Source: s, ctx: ctx, off: c.off, end: s.info.Size}
	if c.n >= 0 {
		r.end = c.off + c.n
	}
	if c.off == 0 && s.first != nil {
		r.body, s.first = s.first, nil
		r.stop, r.sent = r.end, time.Now()
	}
	return r
}

// s3Reader reads one chunk, by as many requests as it takes: each goes on where the last one broke off.
type s3Reader struct {
	*s3Source
	ctx   context.Context
	off   int64
	end   int64
	body  io.ReadCloser // nil between requests
	stop  int64         // of the present request
	sent  time.Time     // when it was
	fresh int64         // bytes that the present try has brought
	tries int           // that brought little
}

func (r *s3Reader) Read(p []byte) (int, error) {
	for r.off < r.end {
		if r.body == nil {
			if err := r.begin(); err != nil {
				return 0, err
			}
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.stop-r.off)])
		r.off += int64(n)
		r.fresh += int64(n)
		if r.off == r.stop {
			r.reads.brought(r.fresh, time.Since(r.sent))
			r.fresh, r.tries = 0, 0
			r.drop()
		} else if err != nil {
			r.drop()
			if err := r.recover(err); err != nil {
				return n, err
			}
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

func (r *s3Reader) Close() error {
	r.drop()
	return nil
}

func (r *s3Reader) drop() {
	if r.body != nil {
		_ = r.body.Close() // it was read, or nobody wants it
		r.body = nil
	}
}

// recover waits before another try, unless there is none.
func (r *s3Reader) recover(err error) error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if r.fresh >= worthATry {
		r.tries = 0
	}
	r.fresh = 0
	r.tries++
	if err := r.retryLater(r.ctx, r.tries, err); err != nil {
		return r.cannot(err)
	}
	return nil
}

// begin asks for what is left.
func (r *s3Reader) begin() error {
	if r.stop = r.end; r.ChunkSize == 0 {
		r.stop = r.off + r.reads.next(r.end-r.off, r.workers(), r.timeout)
	}
	opts := minio.GetObjectOptions{}
	err := opts.SetMatchETag(r.info.ETag)
	if err == nil && (r.off > 0 || r.stop < r.info.Size) {
		err = opts.SetRange(r.off, r.stop-1)
	}
	if err != nil {
		return r.cannot(err)
	}
	var info minio.ObjectInfo
	var header http.Header
	err = r.insist(r.ctx, func(ctx context.Context) (err error) {
		r.sent = time.Now()
		r.body, info, header, err = r.core.GetObject(ctx, r.at.bucket, r.at.key, opts)
		return err
	})
	var e *StoreError
	switch {
	case r.ctx.Err() != nil && err != nil:
		return context.Cause(r.ctx)
	case errors.As(err, &e) && (e.Status == http.StatusPreconditionFailed || e.Status == http.StatusRequestedRangeNotSatisfiable):
		return r.changed()
	case err != nil:
		return r.cannot(err)
	case info.ETag != r.info.ETag, !info.LastModified.Equal(r.info.LastModified):
		r.drop()
		return r.changed()
	}
	if got, ok := parseContentRange(header.Get("Content-Range")); ok {
		if got.size >= 0 && got.size != r.info.Size {
			r.drop()
			return r.changed()
		}
		if got.off != r.off || got.end != r.stop {
			r.drop()
			return r.cannot(errors.New("the store does not send the range that it was asked for"))
		}
	} else if r.off > 0 || info.Size != r.info.Size {
		r.drop()
		return r.cannot(errors.New("the store does not send ranges"))
	}
	r.reads.answered(time.Since(r.sent))
	return nil
}

func (r *s3Reader) changed() error {
	return &startOverError{"the source has changed", &ChangedError{r.at.String()}}
}

// What an object keeps of the file that it was, in the form that rclone reads and writes: the time in seconds and the mode
// in octal digits, with the type's bits.
const (
	metaTime = "mtime"
	metaMode = "mode"
)

// storedMeta is what an object keeps of a file.
func storedMeta(what found) map[string]string {
	t := what.mtime
	return map[string]string{
		metaTime: fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()),
		metaMode: "100" + fmt.Sprintf("%03o", what.mode.Perm()),
	}
}

// kept returns a value that an object keeps. Stores change the case of names.
func kept(meta map[string]string, name string) string {
	for k, v := range meta {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

func storedTime(meta map[string]string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(kept(meta, metaTime), ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	nanos, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
	return time.Unix(seconds, int64(nanos)), err == nil
}

func storedMode(meta map[string]string) (fs.FileMode, bool) {
	mode, err := strconv.ParseUint(kept(meta, metaMode), 8, 32)
	return fs.FileMode(mode) & fs.ModePerm, err == nil
}

package copy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"mime"
	"net/http"
	"path"
	"sync"

	"github.com/minio/minio-go/v7"
)

// Parts of an upload.
//
//	https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const (
	maxParts    = 10_000
	leastPart   = 5 * mib
	usualPart   = 8 * mib
	fewParts    = 512      // of the least size: what is lost of those that are killed on their way is less
	blindPart   = 16 * mib // of a source that does not say how long it is
	largestPart = 5 << 30  // also of one object that is copied at once
)

// s3Sink is one object. What fits into one part is sent with one request; anything else is a multipart upload, whose parts
// have no name until all are there.
type s3Sink struct {
	*store
	src string // for messages
	at  object
	// from is the source if it costs nothing to read it again: so parts of an earlier run are compared with it.
	from source
	// origin is the source if it is in the same store. What it says of itself is kept.
	origin *s3Source
	// within is the same if the store copies it itself.
	within *s3Source
	// fresh says that an upload that is there already is nothing to go on with.
	fresh bool

	what   found
	part   int64
	id     string          // of the upload; empty for none
	old    []string        // uploads that have ended, or are to end with this one
	known  map[string]bool // uploads that were there before; nil if nobody could look
	single bool            // it takes one request

	held     []byte // a single object, until its source is known not to have changed
	withSums bool   // the store keeps a checksum of each part
	blind    int    // parts of a source that has no ranges
	few      *lane  // that parts take where an earlier run was stopped

	mu    sync.Mutex
	parts map[int]minio.ObjectPart // that are there, by number, ours or from an earlier run
	sent  []sentPart               // that are known to be there
	read  *turns                   // of sum
	sum   hash.Hash                // if a digest is expected
}

func newS3Sink(st *store, src string, at object) *s3Sink {
	return &s3Sink{store: st, src: src, at: at}
}

// partSize is how large the parts of an object are. The last one may be smaller.
func (o *Options) partSize(size int64) int64 {
	part := int64(usualPart)
	switch {
	case o.ChunkSize > 0:
		part = min(max(o.ChunkSize, leastPart), largestPart)
	case size < 0:
		part = blindPart
	case size <= fewParts*leastPart, o.Rate != nil: // for a rate a part is waited for whole
		part = leastPart
	}
	least := (size + maxParts - 1) / maxParts
	return max(part, (least+mib-1)/mib*mib)
}

func (s *s3Sink) begin(ctx context.Context, what found) (need, error) {
	s.what, s.part = what, s.partFor(what.size)
	s.parts, s.sent, s.held, s.id, s.blind, s.few = map[int]minio.ObjectPart{}, nil, nil, "", 0, nil
	s.read, s.known = newTurns(), nil
	if s.Expect != nil {
		s.sum = s.Expect.Hash.New()
	}
	s.single = what.size >= 0 && what.size <= s.part
	n := need{extents: wholeOf(what), chunk: s.part, whole: true}
	switch {
	case s.single && !s.mayBeBegun():
		n.chunk = max(what.size, 1)
		return n, nil
	case what.size < 0:
		return n, nil // the first piece tells whether there are more
	}
	begin := s.beginUpload
	if s.single {
		begin = s.goOn
	}
	if err := begin(ctx); err != nil {
		return need{}, s.failed(ctx, err)
	}
	if s.single {
		n.chunk = what.size
		return n, nil
	}
	n.chunk = s.part // that of an earlier run, if it goes on with one
	if done := s.done(); len(done) > 0 {
		n.extents = missing(n.extents, done)
		left := lengthOf(n.extents)
		s.Progress.Grow(0, left-what.size)
		s.Log.Warn("resuming", "item", s.at.String(), "done_bytes", what.size-left, "left_bytes", left)
	}
	return n, nil
}

// partFor is how large the parts of this object are.
func (s *s3Sink) partFor(size int64) int64 {
	part := s.partSize(size)
	if s.within != nil {
		part = min(max(part, withinPart), largestPart)
	}
	return part
}

// mayBeBegun says whether an earlier run with smaller parts may have begun an upload of what now is one part.
func (s *s3Sink) mayBeBegun() bool {
	switch {
	case s.fresh:
		return false
	case s.within != nil:
		return s.what.size > withinPart
	}
	return s.what.size > leastPart
}

// goOn goes on with such an upload, if there is one.
func (s *s3Sink) goOn(ctx context.Context) error {
	taken, err := s.takeOver(ctx)
	s.single = !taken
	return err
}

func (s *s3Sink) cannot(err error) error { return fmt.Errorf("cannot write %s: %w", s.at, err) }

// options say what the object will be.
func (s *s3Sink) options() minio.PutObjectOptions {
	o := minio.PutObjectOptions{UserMetadata: storedMeta(s.what), ContentType: mime.TypeByExtension(path.Ext(s.at.key))}
	if s.origin != nil {
		o = optionsOf(s.origin.info)
	}
	if s.NoClobber {
		o.SetMatchETagExcept("*")
	}
	return o
}

func (s *s3Sink) write(ctx context.Context, p []byte, off int64) error {
	if err := s.inOrder(ctx, p, off); err != nil {
		return err
	}
	if s.what.size < 0 && s.id == "" {
		if s.single = int64(len(p)) < s.part; !s.single {
			if err := s.beginUpload(ctx); err != nil {
				return s.failed(ctx, err)
			}
		}
	}
	if s.single { // it would have its name at once
		s.held = append(s.held[:0], p...)
		return nil
	}
	part := sentPart{number: int(off/s.part) + 1, off: off, partSums: sumsOf(p)}
	if !s.what.ranges { // pieces come one after another, and need not be of one size
		s.blind++
		part.number = s.blind
	}
	if part.number > maxParts {
		return s.cannot(fmt.Errorf("it needs more than %d parts: --chunk-size makes them larger", maxParts))
	}
	there, err := s.has(part)
	if err == nil && !there {
		err = s.putPart(ctx, part, p)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, part)
	return nil
}

// inOrder reads p for the digest that is expected, when its turn comes.
func (s *s3Sink) inOrder(ctx context.Context, p []byte, off int64) error {
	if s.sum == nil {
		return nil
	}
	return s.read.take(ctx, off, int64(len(p)), func() error {
		_, _ = s.sum.Write(p) // never fails
		return nil
	})
}

// put sends a whole object.
func (s *s3Sink) put(ctx context.Context, p []byte) error {
	sums := sumsOf(p)
	var info minio.UploadInfo
	err := s.summed(ctx, func(ctx context.Context, with bool) (err error) {
		opts := s.options()
		opts.DisableContentSha256 = true
		if with {
			opts.UserMetadata[checksumHeader] = sums.crc()
		}
		info, err = s.core.PutObject(ctx, s.at.bucket, s.at.key, bytes.NewReader(p), int64(len(p)), "", s.signed(p), opts)
		return err
	})
	if err == nil && info.ChecksumCRC32C != "" && info.ChecksumCRC32C != sums.crc() {
		err = errOtherBytes
	}
	s.sent = []sentPart{{number: 1, partSums: sums}}
	return err
}

// putPart sends one part of an upload.
func (s *s3Sink) putPart(ctx context.Context, part sentPart, p []byte) (err error) {
	opts := minio.PutObjectPartOptions{DisableContentSha256: true, Sha256Hex: s.signed(p)}
	var got minio.ObjectPart
	if s.few != nil {
		if err := s.few.enter(ctx); err != nil {
			return err
		}
		defer func() { s.few.leave(err == nil) }()
	}
	err = s.insist(ctx, func(ctx context.Context) (err error) {
		opts.CustomHeader = http.Header{}
		if s.withSums {
			opts.CustomHeader.Set(checksumHeader, part.crc())
		}
		got, err = s.core.PutObjectPart(ctx, s.at.bucket, s.at.key, s.id, part.number, bytes.NewReader(p), part.n, opts)
		return err
	})
	if err == nil && got.ChecksumCRC32C != "" && got.ChecksumCRC32C != part.crc() {
		err = errOtherBytes
	}
	if err != nil {
		return s.failed(ctx, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[part.number] = got
	return nil
}

var errOtherBytes = errors.New("the store has received other bytes than were sent")

// failed is what to say of a request that failed.
func (s *s3Sink) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.cannot(err)
}

// signed is the digest of a body that a signature covers. TLS protects the bytes better, and then it is not needed.
func (s *s3Sink) signed(p []byte) string {
	if !s.plain {
		return ""
	}
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

func (s *s3Sink) commit(ctx context.Context, size int64) (bool, error) {
	if s.sum != nil {
		if err := s.Expect.matches(s.src, s.sum); err != nil {
			return false, err
		}
	}
	var err error
	switch {
	case s.within != nil && s.single:
		err = s.copyWhole(ctx)
	case s.single, len(s.sent) == 0:
		s.abortUpload()
		err = s.put(ctx, s.held)
	default:
		err = s.complete(ctx, size)
	}
	var e *StoreError
	if s.NoClobber && errors.As(err, &e) && e.Status == http.StatusPreconditionFailed {
		s.abortUpload()
		return true, nil
	}
	if err != nil {
		return false, s.failed(ctx, err)
	}
	s.id = ""
	for _, id := range s.old {
		s.end(id)
	}
	return false, s.verify(ctx, size)
}

// abort leaves the upload for a later run, or ends it: its parts cost what objects cost.
func (s *s3Sink) abort(keep bool) bool {
	if !keep || s.NoResume {
		s.abortUpload()
	} else if s.id != "" {
		s.Log.Info("the store keeps the parts that it has: the same command goes on with them, --no-resume removes them",
			"item", s.at.String())
	}
	return true
}

// verify reads the object back, if that is asked for, and compares it with what was sent. One that is not the same goes.
func (s *s3Sink) verify(ctx context.Context, size int64) error {
	if !s.Verify || size == 0 {
		return nil
	}
	back := &s3Source{store: s.store, at: s.at}
	what, err := back.open(ctx)
	if err != nil {
		return err
	}
	same := what.size == size
	for _, part := range s.sent {
		if !same {
			break
		}
		sum := crc32.New(castagnoli)
		in := back.read(ctx, chunk{part.off, part.n})
		_, err := io.Copy(sum, in)
		_ = in.Close()
		if err != nil {
			return err
		}
		same = sum.Sum32() == part.crc32c
	}
	if same {
		return nil
	}
	err = s.insist(ctx, func(ctx context.Context) error {
		return s.core.RemoveObject(ctx, s.at.bucket, s.at.key, minio.RemoveObjectOptions{VersionID: back.info.VersionID})
	})
	return errors.Join(&VerifyError{Source: s.src, Dest: s.at.String()}, err)
}

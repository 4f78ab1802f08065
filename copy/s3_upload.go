package copy

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// sentPart is a part that the store is known to have.
type sentPart struct {
	number int
	off    int64
	partSums
}

// has says whether an earlier run has sent a part. It returns an error if that was one of other bytes.
func (s *s3Sink) has(part sentPart) (bool, error) {
	s.mu.Lock()
	there, ok := s.parts[part.number]
	s.mu.Unlock()
	if ok && !part.are(there) {
		return false, &startOverError{errOtherParts.Error(), s.cannot(errOtherParts)}
	}
	return ok, nil
}

// done are the parts of an earlier run that need not be read again.
func (s *s3Sink) done() []hashedRange {
	done := make([]hashedRange, len(s.sent))
	for i, part := range s.sent {
		done[i] = hashedRange{off: part.off, n: part.n}
	}
	return sorted(done)
}

// summed calls with a checksum, and without where the store does not know any.
func (s *store) summed(ctx context.Context, call func(ctx context.Context, with bool) error) error {
	with := !s.noSums.Load()
	err := s.insist(ctx, func(ctx context.Context) error { return call(ctx, with) })
	var e *StoreError
	if !with || !errors.As(err, &e) || e.Status != http.StatusNotImplemented {
		return err
	}
	s.noSums.Store(true)
	return s.insist(ctx, func(ctx context.Context) error { return call(ctx, false) })
}

// beginUpload goes on with the upload of an earlier run, or begins one.
func (s *s3Sink) beginUpload(ctx context.Context) error {
	if !s.fresh {
		if taken, err := s.takeOver(ctx); taken || err != nil {
			return err
		}
	}
	tries := 0
	defer func() {
		if tries > 1 && s.id != "" {
			s.findLost(ctx)
		}
	}()
	return s.summed(ctx, func(ctx context.Context, with bool) (err error) {
		tries++
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		ctx, done := lingering(ctx)
		defer done()
		opts := s.options()
		if s.withSums = with && s.within == nil; s.withSums { // what the store copies itself it knows the sums of
			opts.UserMetadata["X-Amz-Checksum-Algorithm"] = "CRC32C"
		}
		s.id, err = s.core.NewMultipartUpload(ctx, s.at.bucket, s.at.key, opts)
		return err
	})
}

// lingerTime is how long the answer to a request is waited for that nobody needs any more.
const lingerTime = 2 * time.Second

// lingering returns a context that outlasts ctx by lingerTime: an upload whose id never arrives is one that nobody ends.
func lingering(ctx context.Context) (_ context.Context, done func()) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(lingerTime, func() { cancel(context.Cause(ctx)) })
	})
	return longer, func() {
		stop()
		cancel(nil)
	}
}

// findLost finds the uploads that requests have begun whose answers were lost: those that were not there before. They end
// with this one.
func (s *s3Sink) findLost(ctx context.Context) {
	if s.known == nil {
		return // it cannot be told which those are
	}
	all, err := s.unfinished(ctx)
	if err != nil {
		return // as if nobody had looked
	}
	for _, u := range all {
		if u.UploadID != s.id && !s.known[u.UploadID] {
			s.old = append(s.old, u.UploadID)
		}
	}
}

// takeOver looks for an upload of this object that an earlier run has begun.
func (s *s3Sink) takeOver(ctx context.Context) (bool, error) {
	all, err := s.unfinished(ctx)
	var e *StoreError
	if errors.As(err, &e) && !e.stops() {
		s.Log.Info("cannot look for an unfinished upload", "item", s.at.String(), "reason", err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.known = map[string]bool{}
	for _, u := range all {
		s.known[u.UploadID] = true
		if s.NoResume {
			s.endOld(u.UploadID)
			s.Log.Info("starting over", "item", s.at.String(), "reason", "--no-resume")
			continue
		}
		if s.within != nil { // nothing tells of which source its parts are, and they cost no transfer
			s.old = append(s.old, u.UploadID)
			continue
		}
		taken, err := s.take(ctx, u)
		if taken || err != nil {
			return taken, err
		}
	}
	return false, nil
}

// unfinished returns the uploads of this object, the newest first.
func (s *s3Sink) unfinished(ctx context.Context) ([]minio.ObjectMultipartInfo, error) {
	var all []minio.ObjectMultipartInfo
	var page minio.ListMultipartUploadsResult
	for {
		err := s.insist(ctx, func(ctx context.Context) error {
			got, err := s.core.ListMultipartUploads(
				ctx, s.at.bucket, s.at.key, page.NextKeyMarker, page.NextUploadIDMarker, "", 1000)
			if err == nil {
				page = got
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, u := range page.Uploads {
			if u.Key == s.at.key {
				all = append(all, u)
			}
		}
		// Keys come in order: what is behind this one is longer.
		if !page.IsTruncated || page.NextKeyMarker > s.at.key {
			break
		}
	}
	slices.SortFunc(all, func(a, b minio.ObjectMultipartInfo) int { return b.Initiated.Compare(a.Initiated) })
	return all, nil
}

// clocks is how much later the time of a store may seem, which has no fractions of seconds.
const clocks = 2 * time.Second

// take goes on with an upload if that may be of this source. Its parts are compared before they count.
func (s *s3Sink) take(ctx context.Context, u minio.ObjectMultipartInfo) (bool, error) {
	parts, sums, err := s.listed(ctx, u.UploadID)
	if err != nil {
		var e *StoreError
		if errors.As(err, &e) && !e.stops() {
			return false, nil // it has ended in the meantime, or is not ours to see
		}
		return false, err
	}
	if len(parts) == 0 { // it may be of another source, and there is nothing to gain
		s.old = append(s.old, u.UploadID)
		return false, nil
	}
	size, ok := s.layout(parts)
	if !ok {
		return false, nil // somebody else's
	}
	// What an object says of its file was said when the upload began.
	if last := s.lastChange(); last.After(u.Initiated.Add(clocks)) {
		s.Log.Warn("starting over", "item", s.at.String(), "reason", "the source has changed since")
		s.endOld(u.UploadID)
		return false, nil
	}
	s.id, s.part, s.withSums = u.UploadID, size, sums
	for _, part := range parts {
		s.parts[part.PartNumber] = part
	}
	same, err := s.compare(ctx, parts)
	if !same && err == nil {
		s.Log.Warn("starting over", "item", s.at.String(), "reason", errOtherParts)
		s.endOld(u.UploadID)
		s.id, s.parts, s.sent = "", map[int]minio.ObjectPart{}, nil
		return false, nil
	}
	// What was stopped once may be stopped again, and what was sent of a part is lost then. So the parts in flight are few
	// until this run has sent many.
	s.few = newLane(1)
	return same, err
}

// errOtherParts is why an upload is not gone on with. What it says of its object then is not of this source either.
var errOtherParts = errors.New("the unfinished upload is of other bytes")

// lastChange is when the source last was another one, as far as its own machine knows.
func (s *s3Sink) lastChange() time.Time {
	if id := s.what.id; s.from != nil && id != nil && id.ctime != 0 {
		return time.Unix(0, id.ctime)
	}
	return s.what.mtime
}

// listed returns the parts of an upload, and whether it has checksums of them.
func (s *s3Sink) listed(ctx context.Context, id string) (parts []minio.ObjectPart, sums bool, err error) {
	for after := 0; ; {
		var page minio.ListObjectPartsResult
		err := s.insist(ctx, func(ctx context.Context) (err error) {
			page, err = s.core.ListObjectParts(ctx, s.at.bucket, s.at.key, id, after, 1000)
			return err
		})
		if err != nil {
			return nil, false, err
		}
		parts = append(parts, page.ObjectParts...)
		sums = sums || page.ChecksumAlgorithm == "CRC32C"
		if !page.IsTruncated || page.NextPartNumberMarker <= after {
			return parts, sums, nil
		}
		after = page.NextPartNumberMarker
	}
}

// layout returns the size of an upload's parts, and false if they cannot be those of this source.
func (s *s3Sink) layout(parts []minio.ObjectPart) (int64, bool) {
	if !s.what.ranges {
		return s.part, true
	}
	size := s.what.size
	longest := slices.MaxFunc(parts, func(a, b minio.ObjectPart) int { return cmp.Compare(a.Size, b.Size) })
	part := longest.Size
	if rest := size - part; len(parts) == 1 && longest.PartNumber > 1 && part*int64(longest.PartNumber) > size {
		part = rest / int64(longest.PartNumber-1) // it is the last one, alone
	}
	if part < leastPart || (size-1)/part >= maxParts {
		return 0, false
	}
	for _, p := range parts {
		if off := int64(p.PartNumber-1) * part; p.Size != min(part, size-off) {
			return 0, false
		}
	}
	return part, true
}

// compare reads again what the parts of an earlier run should be, if that costs nothing: those that are the same are done.
// Otherwise, and where a digest needs all bytes, they are compared when their bytes come by. It returns false if one is
// not the same.
func (s *s3Sink) compare(ctx context.Context, parts []minio.ObjectPart) (bool, error) {
	if s.from == nil || s.sum != nil || !s.what.ranges {
		return true, nil
	}
	buf := s.driver.buffer()
	defer s.driver.release(buf)
	for _, there := range parts {
		c := chunk{int64(there.PartNumber-1) * s.part, there.Size}
		in := s.from.read(ctx, c)
		sums, err := sumsFrom(in, buf, there.ChecksumCRC32C == "")
		_ = in.Close()
		if err != nil {
			return false, err
		}
		part := sentPart{there.PartNumber, c.off, sums}
		if !part.are(there) {
			return false, nil
		}
		s.sent = append(s.sent, part)
	}
	return true, nil
}

// complete makes the object of its parts.
func (s *s3Sink) complete(ctx context.Context, size int64) error {
	var parts []minio.CompletePart
	for _, part := range s.sent {
		there := s.parts[part.number]
		c := minio.CompletePart{PartNumber: part.number, ETag: there.ETag}
		if s.withSums {
			c.ChecksumCRC32C = there.ChecksumCRC32C
		}
		parts = append(parts, c)
	}
	slices.SortFunc(parts, func(a, b minio.CompletePart) int { return cmp.Compare(a.PartNumber, b.PartNumber) })
	began, condition := time.Now(), minio.PutObjectOptions{} // the rest was said when the upload began
	if s.NoClobber {
		condition.SetMatchETagExcept("*")
	}
	err := s.patiently(ctx, func(ctx context.Context) error {
		_, err := s.core.CompleteMultipartUpload(ctx, s.at.bucket, s.at.key, s.id, parts, condition)
		return err
	})
	var e *StoreError
	if errors.As(err, &e) && e.Code == minio.NoSuchUpload && s.isThere(ctx, size, began) {
		return nil // an answer was lost
	}
	return err
}

// isThere says whether the object is what a completed upload has made of it.
func (s *s3Sink) isThere(ctx context.Context, size int64, began time.Time) bool {
	var info minio.ObjectInfo
	err := s.insist(ctx, func(ctx context.Context) (err error) {
		info, err = s.core.StatObject(ctx, s.at.bucket, s.at.key, minio.StatObjectOptions{})
		return err
	})
	want := s.options().UserMetadata
	return err == nil && info.Size == size && strings.Contains(info.ETag, "-") &&
		info.LastModified.After(began.Add(-clocks)) && kept(info.UserMetadata, metaTime) == kept(want, metaTime)
}

// abortUpload ends the upload, if there is one.
func (s *s3Sink) abortUpload() {
	if s.id != "" {
		s.end(s.id)
		s.id = ""
	}
}

// endOld ends an upload of an earlier run, now and once more when all is done: a part that was under way when its sender
// was killed may still arrive in between, and in some stores then brings the upload back.
//
//	https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
func (s *s3Sink) endOld(id string) {
	s.end(id)
	s.old = append(s.old, id)
}

// end ends an upload, also when the run has been stopped.
func (s *s3Sink) end(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		err := s.insist(ctx, func(ctx context.Context) error {
			return s.core.AbortMultipartUpload(ctx, s.at.bucket, s.at.key, id)
		})
		if err == nil && pause(ctx, wait) { // parts that were under way may just have arrived
			_, _, err = s.listed(ctx, id)
		}
		var e *StoreError
		if errors.As(err, &e) && e.Status == http.StatusNotFound {
			return
		}
		if err != nil || ctx.Err() != nil {
			s.Log.Warn("an unfinished upload is left in the store", "item", s.at.String(), "reason", err)
			return
		}
	}
}

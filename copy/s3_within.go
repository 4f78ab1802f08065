package copy

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"
)

// withinPart is how much of an object the store copies with one request. No bytes come by, so it may be more than a part
// that is sent; but nobody is told how far a request is.
const withinPart = 64 * mib

// metaSource is the ETag of what an object was copied from within the store. The copy has one of its own, since that depends
// on the parts.
const metaSource = "pace-source"

// isCopyOf says whether an object was made of another one by the store, and is of the same bytes.
func isCopyOf(info, of minio.ObjectInfo) bool {
	return of.ETag != "" && kept(info.UserMetadata, metaSource) == of.ETag && info.Size == of.Size
}

// ifMatch makes the store copy the version that was found, and no other.
func (s *s3Source) ifMatch() map[string]string {
	return map[string]string{"X-Amz-Copy-Source-If-Match": s.info.ETag}
}

func (s *s3Sink) copiesItself() bool { return s.within != nil }

// copyPart lets the store copy a part of the source.
func (s *s3Sink) copyPart(ctx context.Context, c chunk) error {
	if s.single {
		return nil // with the commit
	}
	part := sentPart{number: int(c.off/s.part) + 1, off: c.off, partSums: partSums{n: c.n}}
	var got minio.CompletePart
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		got, err = s.core.CopyObjectPart(ctx, s.within.at.bucket, s.within.at.key, s.at.bucket, s.at.key, s.id, part.number,
			c.off, c.n, s.within.ifMatch())
		return err
	})
	if err != nil {
		return s.failed(ctx, s.within.ifChanged(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[part.number] = minio.ObjectPart{
		PartNumber: part.number, ETag: got.ETag, Size: c.n, ChecksumCRC32C: got.ChecksumCRC32C,
	}
	s.sent = append(s.sent, part)
	return nil
}

// copyWhole lets the store copy the source with one request. An object that was sent in parts then is another to the
// store's checksums, so the copy is told what it is of.
func (s *s3Sink) copyWhole(ctx context.Context) error {
	headers := s.within.ifMatch()
	if info := s.within.info; partsOf(info.ETag) > 0 {
		headers["X-Amz-Metadata-Directive"] = "REPLACE"
		for name, values := range optionsOf(info).Header() {
			headers[name] = values[0]
		}
	}
	return s.within.ifChanged(s.patiently(ctx, func(ctx context.Context) error {
		_, err := s.core.CopyObject(ctx, s.within.at.bucket, s.within.at.key, s.at.bucket, s.at.key, headers,
			minio.CopySrcOptions{}, minio.PutObjectOptions{})
		return err
	}))
}

// ifChanged says that the source has changed, if that is what err means.
func (s *s3Source) ifChanged(err error) error {
	var e *StoreError
	if errors.As(err, &e) && e.Status == http.StatusPreconditionFailed {
		return &startOverError{"the source has changed", &ChangedError{s.at.String()}}
	}
	return err
}

// optionsOf are those of an object that is copied: what the source says of itself.
func optionsOf(info minio.ObjectInfo) minio.PutObjectOptions {
	o := minio.PutObjectOptions{
		UserMetadata: map[string]string{}, ContentType: info.ContentType,
		ContentEncoding: info.Metadata.Get("Content-Encoding"), ContentLanguage: info.Metadata.Get("Content-Language"),
		ContentDisposition: info.Metadata.Get("Content-Disposition"), CacheControl: info.Metadata.Get("Cache-Control"),
		Expires: info.Expires,
	}
	for k, v := range info.UserMetadata {
		o.UserMetadata[strings.ToLower(k)] = v
	}
	o.UserMetadata[metaSource] = info.ETag
	return o
}

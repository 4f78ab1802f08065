package copy

import (
	"context"
	"errors"
	"net/http"

	"github.com/minio/minio-go/v7"
)

// withinPart is how much of an object the store copies with one request. No bytes come by, so it may be more than a part
// that is sent; but nobody is told how far a request is.
const withinPart = 64 * mib

// ifMatch makes the store copy the version that was found, and no other.
func (s *s3Source) ifMatch() map[string]string {
	return map[string]string{"X-Amz-Copy-Source-If-Match": s.info.ETag}
}

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

// copyWhole lets the store copy the source with one request.
func (s *s3Sink) copyWhole(ctx context.Context) error {
	headers := s.within.ifMatch()
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
	}
	for k, v := range info.UserMetadata {
		o.UserMetadata[k] = v
	}
	return o
}

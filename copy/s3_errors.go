package copy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
)

// StoreError says that an object store does not do what it was asked for.
type StoreError struct {
	Code    string // as S3 has them: NoSuchBucket
	Status  int    // RFC 9110 section 15
	Message string // the store's

	anonymous bool // the request was not signed
}

func (e *StoreError) Error() string {
	said := strings.TrimSpace(e.Message)
	switch e.Code {
	case minio.NoSuchBucket:
		return "there is no such bucket"
	case minio.NoSuchKey:
		return "there is no such object"
	case minio.AccessDenied:
		if e.anonymous {
			return "the store denies access (AccessDenied), and there are no credentials: " +
				"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
		}
		return "the store denies access (AccessDenied): see the credentials and the bucket's policy"
	case "RequestTimeTooSkewed":
		return "the clock of this machine and that of the store differ too much (RequestTimeTooSkewed)"
	case "ExpiredToken", "TokenRefreshRequired":
		return fmt.Sprintf("the credentials have expired (%s): sign in again", e.Code)
	case "AuthorizationHeaderMalformed":
		return fmt.Sprintf("the store does not accept the signature (%s): is AWS_REGION right? %s", e.Code, said)
	}
	if e.stops() {
		return fmt.Sprintf("the store does not accept the credentials (%s)", e.Code)
	}
	if strings.HasPrefix(e.Code, strconv.Itoa(e.Status)) { // the status alone: what came with it is a page, or nothing
		return "the store answers " + e.Code
	}
	return fmt.Sprintf("the store answers %d %s: %s", e.Status, e.Code, said)
}

// stops says whether no other request can fare better.
func (e *StoreError) stops() bool {
	switch e.Code {
	case minio.NoSuchBucket, "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
		"TokenRefreshRequired", "AuthorizationHeaderMalformed", "RequestTimeTooSkewed", "InvalidClientTokenId",
		"XAdminUserNotFound": // as MinIO and Versity have it
		return true
	}
	return false
}

// refused says whether the run cannot go on because of err.
func (r *run) refused(err error) bool {
	if errors.As(err, new(*NoStoreError)) || errors.As(err, new(*CredentialsError)) {
		return true
	}
	var e *StoreError
	if !errors.As(err, &e) {
		return false
	}
	return e.stops() || e.Code == minio.AccessDenied && len(r.items) == 1 && !r.items[0].prefix
}

// NoStoreError says that nothing has been heard of the object store since the run began, or nothing that makes sense.
type NoStoreError struct{ err error }

func (e *NoStoreError) Error() string { return e.err.Error() }
func (e *NoStoreError) Unwrap() error { return e.err }

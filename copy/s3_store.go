package copy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"pace/limiter/exchange"
)

// store is the object store of a run.
type store struct {
	*web
	core     *minio.Core
	creds    *credentials.Credentials
	clients  [2]*exchange.Client // whose answers must come fast, and may be slow
	endpoint string
	plain    bool        // no TLS: a signature is what protects the bytes
	answered atomic.Bool // it has, once
	noSums   atomic.Bool // it refuses checksums
	reads    stride
}

// AWSEndpoint leads to the endpoint of each region.
const AWSEndpoint = "https://s3.amazonaws.com"

func (w *web) openStore() (*store, error) {
	o := &w.Options.S3
	u, err := url.Parse(either(o.Endpoint, AWSEndpoint))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the endpoint of the object store is no URL of HTTP: it begins with https:// or http://")
	}
	if u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, errors.New("the endpoint of the object store is to be a URL of a host alone")
	}
	s := &store{web: w, creds: o.credentials(), plain: u.Scheme == "http", endpoint: u.Scheme + "://" + u.Host}
	fast := w.exchangeOptions()
	fast.TLS, fast.Proxy = o.TLS, nearby(fast.Proxy)
	slow := fast
	slow.MinSpeed = 0
	s.clients = [2]*exchange.Client{exchange.New(fast), exchange.New(slow)}
	styles := map[string]minio.BucketLookupType{"path": minio.BucketLookupPath, "virtual": minio.BucketLookupDNS}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		styles = nil // an address has no names below it
	}
	s.core, err = minio.NewCore(u.Host, &minio.Options{
		Creds: s.creds, Secure: !s.plain, Transport: s, Region: o.Region, BucketLookup: styles[o.Style],
		MaxRetries: 1, // insist knows when it is worth another
	})
	if err != nil {
		s.close()
		return nil, fmt.Errorf("cannot use the object store: %w", err)
	}
	return s, nil
}

func (s *store) close() {
	if s == nil {
		return
	}
	for _, c := range s.clients {
		c.Close()
	}
}

// insist calls until that succeeds, or until there is no hope.
func (s *store) insist(ctx context.Context, call func(context.Context) error) error {
	return s.insistAs(ctx, try{}, call)
}

// patiently does so for what may take the store a long time without a word.
func (s *store) patiently(ctx context.Context, call func(context.Context) error) error {
	return s.insistAs(ctx, try{patient: true}, call)
}

func (s *store) insistAs(ctx context.Context, kind try, call func(context.Context) error) error {
	err := s.insisted(ctx, kind, call)
	if err == nil || errors.As(err, new(*StoreError)) {
		s.answered.Store(true)
		return err
	}
	if ctx.Err() == nil && !s.answered.Load() && unanswered(err) {
		return &NoStoreError{err}
	}
	return err
}

// unanswered says whether err is one of a request to which no store has answered; the client refuses some before they are
// sent.
func unanswered(err error) bool {
	return errors.As(err, new(*exchange.Error)) || errors.Is(err, errSlow) || errors.Is(err, errTorn) ||
		errors.Is(err, errNoStore)
}

func (s *store) insisted(ctx context.Context, kind try, call func(context.Context) error) error {
	for n := 1; ; {
		if err := s.signIn(ctx); err != nil {
			return err
		}
		t := kind
		err := call(context.WithValue(ctx, tryKey{}, &t))
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case t.busy && t.again:
			continue // the lane makes it wait
		case isStale(err):
			continue // the server has closed a kept connection; there are only so many of these
		case t.busy, !s.mayPass(err):
			return s.reason(err)
		}
		if err := s.retryLater(ctx, n, s.reason(err)); err != nil {
			return err
		}
		n++
	}
}

func isStale(err error) bool {
	e, ok := errors.AsType[*exchange.Error](err)
	return ok && e.Kind == exchange.Stale
}

// mayPass says whether another try may succeed. What does not listen at first never will.
func (s *store) mayPass(err error) bool {
	if e, ok := errors.AsType[minio.ErrorResponse](err); ok {
		if e.StatusCode == 0 {
			return false // the client could not make sense of an answer
		}
		switch e.Code {
		case "SlowDown", minio.InternalError, "RequestTimeout", "Throttling", "ServiceUnavailable", "OperationAborted":
			return true
		}
		return broken(e.StatusCode) || busy(e.StatusCode)
	}
	if errors.Is(err, syscall.ECONNREFUSED) && !s.answered.Load() {
		return false
	}
	return passing(err) || errors.Is(err, errTorn)
}

// reason takes from err what only says how it got here.
func (s *store) reason(err error) error {
	err = withoutURL(err)
	if e, ok := errors.AsType[minio.ErrorResponse](err); ok {
		if e.StatusCode == 0 {
			return errNoStore
		}
		return &StoreError{Code: e.Code, Status: e.StatusCode, Message: e.Message, anonymous: s.Options.S3.anonymous()}
	}
	return err
}

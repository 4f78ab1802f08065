package copy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"pace/limiter/exchange"
	"pace/limiter/progress"
)

// maxRedirects is how many follow one another at most.
const maxRedirects = 10

// ask is one request for a file, or for a part of it.
type ask struct {
	method   string
	off, end int64  // the range; end is 0 for none
	ifRange  string // with a range: only if the file still is this one
}

// answer is what came, with what has to be given back.
type answer struct {
	*http.Response
	at   *url.URL // where the redirects led
	lane *lane
	sent time.Time // when the request was
	free func()    // ends the request's context

	read   int64 // bytes of the body
	failed error
	time   *time.Timer // that ends it too; nil for none
}

// errSlow ends a request whose time is over.
var errSlow error = slowError{}

type slowError struct{}

func (slowError) Error() string { return "the answer takes longer than --timeout allows" }
func (slowError) Unwrap() error { return context.DeadlineExceeded }

// request asks, and follows redirects. It takes its turn in the lane of each server.
func (s *httpSource) request(ctx context.Context, from *url.URL, a ask) (*answer, error) {
	for range maxRedirects + 1 {
		got, err := s.requestOnce(ctx, from, a)
		if err != nil {
			return nil, err
		}
		switch got.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
			http.StatusPermanentRedirect:
		default:
			return got, nil
		}
		location := got.Header.Get("Location")
		if location == "" {
			return got, nil
		}
		next, err := from.Parse(location)
		got.end(true)
		if err != nil || next.Hostname() == "" || next.Scheme != "http" && next.Scheme != "https" {
			return nil, errors.New("the server redirects to what is not a URL of HTTP")
		}
		if from.Scheme == "https" && next.Scheme == "http" && !s.plain.Swap(true) {
			s.Log.Warn("the server redirects to http: nobody vouches for what comes", "item", s.shown)
		}
		from = asRequested(next)
	}
	return nil, fmt.Errorf("more than %d redirects", maxRedirects)
}

// requestOnce asks one server, when that has room for one more.
func (s *httpSource) requestOnce(ctx context.Context, to *url.URL, a ask) (*answer, error) {
	lane := s.web.lanes.to(to)
	for {
		waiting := s.Progress.BeginWait()
		err := lane.enter(ctx)
		waiting.End()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		got, err := s.exchange(ctx, lane, to, a)
		if err == nil {
			return got, nil
		}
		crowded := passing(err) && ctx.Err() == nil && lane.lost(began)
		lane.leave(false)
		if !crowded {
			return nil, err
		}
	}
}

// exchange makes a request that has entered its lane, which the answer leaves. The time that it may take runs until it is
// ended.
func (s *httpSource) exchange(ctx context.Context, lane *lane, to *url.URL, a ask) (*answer, error) {
	got := &answer{at: to, lane: lane}
	ctx, cancel := context.WithCancelCause(ctx)
	if s.web.timeout > 0 {
		got.time = time.AfterFunc(s.web.timeout, func() { cancel(errSlow) })
	}
	op := s.Progress.Begin()
	got.sent = time.Now()
	got.free = func() {
		if got.time != nil {
			got.time.Stop()
		}
		cancel(nil)
		op.EndAs(ctx, progress.Did{Kind: "fetch", Item: s.shown, Offset: a.off, Bytes: got.read, Err: got.failed})
	}
	req := (&http.Request{Method: a.method, URL: withoutUser(to), Host: to.Host, Header: s.headerFor(to),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if a.end > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(a.off, 10)+"-"+strconv.FormatInt(a.end-1, 10))
		if a.ifRange != "" {
			req.Header.Set("If-Range", a.ifRange)
		}
	}
	var err error
	for {
		var trace exchange.Trace
		got.Response, err = s.web.client.Do(req, &trace) //nolint:bodyclose // end does
		// The server has closed a kept connection, or what came on it belongs to an answer before: there are only so many of
		// these.
		if kind := kindOf(err); kind != exchange.Stale && (kind != exchange.Malformed || !trace.Reused) {
			break
		}
	}
	if err != nil {
		err = s.timedOut(ctx, err)
		got.failed = err
		got.free()
		return nil, err
	}
	got.lane.answered(time.Since(got.sent))
	return got, nil
}

// timedOut returns what has ended an exchange, as far as we did it ourselves.
func (s *httpSource) timedOut(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSlow) {
		return errSlow
	}
	return err
}

// end ends an answer. good says that it was of use.
func (a *answer) end(good bool) {
	_ = a.Body.Close() // it was read, or nobody wants it
	a.free()
	a.lane.leave(good)
}

// endless takes back the limit of time: nobody knows how long the body is.
func (a *answer) endless() {
	if a.time != nil {
		a.time.Stop()
	}
}

// publicHeaders may be told to anyone.
var publicHeaders = map[string]bool{"User-Agent": true, "Accept": true, "Accept-Language": true}

// headerFor returns the header of a request. Everything but what is public goes to the origin that the user has named.
func (s *httpSource) headerFor(to *url.URL) http.Header {
	h := http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"identity"}}
	own := sameOrigin(s.url, to)
	for name, values := range s.Network.Header {
		if own || publicHeaders[name] {
			h[name] = values
		}
	}
	user := to.User
	if user == nil && own {
		user = s.url.User
	}
	if user != nil && h.Get("Authorization") == "" {
		password, _ := user.Password()
		auth := &http.Request{Header: http.Header{}}
		auth.SetBasicAuth(user.Username(), password)
		h["Authorization"] = auth.Header["Authorization"]
	}
	return h
}

func withoutUser(u *url.URL) *url.URL {
	clone := *u
	clone.User = nil
	return &clone
}

// kindOf returns what went wrong with an exchange; below zero for anything else, and for nothing.
func kindOf(err error) exchange.Kind {
	if e, ok := errors.AsType[*exchange.Error](err); ok {
		return e.Kind
	}
	return -1
}

// passing says whether an error of an exchange may not come again.
func passing(err error) bool {
	return exchange.Retryable(err) || errors.Is(err, errSlow)
}

// busy says whether a server asks to be left alone for a while (RFC 6585 section 4, RFC 9110 section 15.6.4).
func busy(code int) bool {
	return code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable
}

// broken says whether another try may get a better answer.
func broken(code int) bool {
	return code >= 500 && code != http.StatusNotImplemented && code != http.StatusHTTPVersionNotSupported ||
		code == http.StatusRequestTimeout || code == http.StatusTooEarly
}

// waitFor waits as a busy server asks, with its answer, which it ends. again is false when there is no hope left.
func (s *httpSource) waitFor(got *answer) (again bool) {
	asked := exchange.RetryAfter(got.Header, time.Now())
	wait, again := got.lane.refused(asked, s.web.retries, s.backoff)
	if wait > s.patience() {
		s.Log.Warn("the server asks to wait", "item", s.shown, "seconds", int64(wait.Seconds()))
	}
	got.end(false)
	return again
}

// patience is how long a wait may be before a user wonders.
func (s *httpSource) patience() time.Duration { return 5 * time.Second }

// retryLater waits before the n-th try after the first. It returns err when there are no more.
func (w *web) retryLater(ctx context.Context, n int, err error) error {
	if n > w.retries {
		if w.retries == 0 {
			return err
		}
		return fmt.Errorf("%w (after %d tries)", err, n)
	}
	waiting := w.Progress.BeginWait()
	defer waiting.End()
	if !pause(ctx, w.backoff(n)) {
		return context.Cause(ctx)
	}
	return nil
}

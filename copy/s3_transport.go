package copy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"pace/limiter/exchange"
	"pace/limiter/progress"
)

// try is one request to an object store: what is known of it before, and what came of it.
type try struct {
	patient bool // the answer may take long
	busy    bool // the server asked to be left alone for a while
	again   bool // it is not without hope then
}

type tryKey struct{}

// patientTimes is how many times as long as others those may take that a store has work with: to make an object of 10,000
// parts takes some minutes, as to copy 5 GiB does.
const patientTimes = 10

// lostError is a request without an answer. Its text does not have the letters EOF, for which minio-go takes an error's
// cause away.
type lostError struct{ err error }

func (e *lostError) Error() string {
	return strings.ReplaceAll(e.err.Error(), "unexpected EOF", "the connection has ended")
}
func (e *lostError) Unwrap() error { return e.err }

// RoundTrip makes one exchange, on the goroutine that calls it, when the lane of the server lets it.
func (s *store) RoundTrip(req *http.Request) (*http.Response, error) {
	lane := s.lanes.to(req.URL)
	waiting := s.Progress.BeginWait()
	err := lane.enter(req.Context())
	waiting.End()
	if err != nil {
		return nil, err
	}
	t, ours := req.Context().Value(tryKey{}).(*try)
	if !ours {
		t = &try{}
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	op := s.Progress.Begin()
	a := &storeAnswer{ctx: ctx}
	a.end = func(good bool) {
		var did progress.Did
		if op.Traced() {
			did = a.did(req)
		}
		op.EndAs(ctx, did)
		lane.leave(good)
	}
	a.cancel = func() { cancel(nil) }
	if s.timeout > 0 {
		timeout := s.timeout
		if t.patient {
			timeout *= patientTimes
		}
		a.timer = time.AfterFunc(timeout, func() { cancel(errSlow) })
		a.cancel = func() {
			a.timer.Stop()
			cancel(nil)
		}
	}
	resp, err := s.clientFor(req, t).RoundTrip(s.dressed(req.WithContext(ctx), t, a.timer))
	if err != nil {
		a.failed = err
		a.finish(false)
		return nil, &lostError{a.because(err)}
	}
	if busy(resp.StatusCode) {
		t.busy = true
		_, t.again = lane.refused(exchange.RetryAfter(resp.Header, time.Now()), s.retries, s.backoff)
	}
	a.good, a.ReadCloser = resp.StatusCode < 500 && !t.busy, resp.Body
	resp.Body = a
	if ours { // and not one for credentials
		if err := believe(req, resp); err != nil {
			_ = a.Close()
			return nil, &lostError{err}
		}
	}
	return resp, nil
}

// clientFor returns the client whose limits are right. What a store has to put together first may come slowly.
func (s *store) clientFor(req *http.Request, t *try) *exchange.Client {
	if req.Method == http.MethodGet && !t.patient {
		return s.clients[0]
	}
	return s.clients[1]
}

// dressed returns the request as it is sent. A body's time runs only while nothing of it moves.
func (s *store) dressed(req *http.Request, t *try, timer *time.Timer) *http.Request {
	if agent := s.Network.Header.Get("User-Agent"); agent != "" {
		req.Header = req.Header.Clone()
		req.Header.Set("User-Agent", agent) // it is not signed
	}
	if req.Body != nil && timer != nil && !t.patient {
		req.Body = &movingBody{req.Body, timer, s.timeout}
	}
	return req
}

// movingBody is the body of a request, which puts off the end of its time with each piece that is sent.
type movingBody struct {
	io.ReadCloser
	timer   *time.Timer
	timeout time.Duration
}

func (b *movingBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.timeout)
	return b.ReadCloser.Read(p)
}

// storeAnswer is the body of an answer, with what has to be given back.
type storeAnswer struct {
	io.ReadCloser
	ctx    context.Context
	timer  *time.Timer
	cancel func()
	good   bool
	read   int64
	failed error
	end    func(good bool)
	once   sync.Once
}

func (a *storeAnswer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.read += int64(n)
	if err != nil && err != io.EOF {
		err = a.because(err)
		a.failed = err
	}
	return n, err
}

func (a *storeAnswer) Close() error {
	err := a.ReadCloser.Close()
	a.finish(a.good)
	return err
}

func (a *storeAnswer) finish(good bool) {
	a.once.Do(func() {
		a.cancel()
		a.end(good)
	})
}

// did is what the exchange was. A signature may stand in the query, which nobody is to see.
func (a *storeAnswer) did(req *http.Request) progress.Did {
	return progress.Did{
		Kind: "request", Item: req.Method + " " + req.URL.Scheme + "://" + req.URL.Host + req.URL.EscapedPath(),
		Bytes: a.read + max(req.ContentLength, 0), Err: a.failed,
	}
}

// because returns what has ended an exchange, as far as we did it ourselves.
func (a *storeAnswer) because(err error) error {
	if errors.Is(context.Cause(a.ctx), errSlow) {
		return errSlow
	}
	return err
}

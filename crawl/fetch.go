package crawl

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"pace/limiter/exchange"
	"pace/limiter/progress"
)

// response is what one request came to.
type response struct {
	status      int // 0 without a response
	header      http.Header
	body        []byte // decoded; valid until release
	hash        string // SHA-256 of the body in hex, if it came whole
	contentType string
	at          time.Time
	timing      timing
	err         error // why there is no response, or no whole body
	wire        *wire // what went over the wire; nil unless it is archived
	buf         *bytes.Buffer

	counter *progress.Counter
	moved   int64 // bytes of the body that came

	share share
	more  func(n int64) error // takes n bytes more of the crawl's room; nil for a response that has no bound
}

var bodyBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled is the size above which a body's buffer is left to the garbage collector: idle ones are in nobody's share.
const maxPooled = roomForNothing

// release gives the body's memory back.
func (r *response) release() {
	if r.buf != nil && r.buf.Cap() <= maxPooled {
		r.buf.Reset()
		bodyBuffers.Put(r.buf)
	}
	r.buf, r.body = nil, nil
	r.wire.release()
	r.share.giveAll()
}

// takeWhileReading returns what takes room for an answer. Time for which it is not read is not its server's.
func takeWhileReading(ctx context.Context, s *share, body io.ReadCloser) func(n int64) error {
	return func(n int64) error {
		waited, err := s.take(ctx, n)
		exchange.Extend(body, waited)
		return err
	}
}

// count counts bytes of the body that came.
func (r *response) count(n int64) {
	r.moved += n
	r.counter.AddBytes(n)
}

// takeRoom takes n bytes of the crawl's room, and waits for them.
func (r *response) takeRoom(n int64) error {
	if r.more == nil {
		return nil
	}
	return r.more(n)
}

// bodyError says that a body hit a limit.
type bodyError struct{ message string }

func (e *bodyError) Error() string { return e.message }

// fetch does one request and reads its body, at most limit bytes of it. A longer body is an error unless cut is set.
func (c *crawler) fetch(ctx context.Context, it *item, limit int64, cut bool) *response {
	r := &response{at: time.Now().UTC(), share: share{room: c.room}, counter: c.counter}
	op := c.counter.Begin()
	defer func() {
		op.EndAs(ctx, progress.Did{Kind: "fetch", Item: it.url.String(), Bytes: r.moved, Err: r.failure()})
	}()
	ctx, unbind := c.frontier.bind(ctx, it)
	defer unbind()
	trace := exchange.Trace{
		BeforeWrite: func() error { return c.frontier.check(it) }, Wrote: func() { c.frontier.started(it) },
	}
	c.tape(it, r, &trace)
	resp, err := c.client.Do(c.requestOf(ctx, it), &trace)
	if err != nil {
		r.err = err
		if e, ok := errors.AsType[*exchange.Error](err); ok && e.Op == "connect" {
			c.dns.forget(it.url.Host())
		}
	} else {
		r.status, r.header = resp.StatusCode, resp.Header
		r.contentType = resp.Header.Get("Content-Type")
		r.more = takeWhileReading(ctx, &r.share, resp.Body)
		c.takeCookies(it.url, resp.Header)
		if it.sitemap > 0 && r.status/100 == 2 {
			r.err = c.readSitemap(ctx, it, r, resp)
		} else if c.wantsBody(it, r) {
			r.err = r.readBody(resp, limit, cut, r.count)
		}
		// The error of closing a connection that was read from changes nothing.
		_ = resp.Body.Close()
		r.endTape(&trace, c.o.Proxy != nil)
	}
	r.timing = timing{
		DNS: milliseconds(trace.DNS), Connect: milliseconds(trace.Connect), TLS: milliseconds(trace.TLS),
		TTFB: milliseconds(trace.TTFB), Total: milliseconds(time.Since(r.at)),
	}
	return r
}

// wantsBody says whether an answer's body is worth its download.
func (c *crawler) wantsBody(it *item, r *response) bool {
	if c.o.ContentType == nil || it.robots != nil || it.sitemap > 0 || r.contentType == "" || c.isSitemap(it, r) {
		return true
	}
	media, _, _ := strings.Cut(r.contentType, ";")
	return c.o.ContentType.MatchString(strings.ToLower(strings.TrimSpace(media)))
}

// milliseconds returns d in milliseconds, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// request builds the request for a URL. The request target is sent as the URL has it: net/url would write some
// characters in another way than browsers do.
func (c *crawler) request(ctx context.Context, u URL) *http.Request {
	header := c.header
	// Who may read what goes over http is not only the host: where the user asked for https alone, it gets no secrets.
	if inClear, seed := c.isSeedHost(u.Host()); !seed || !inClear && u.Scheme() != "https" {
		header = c.headerElsewhere
	}
	header = c.withCookies(u, header)
	target := &url.URL{Scheme: u.Scheme(), Host: u.Authority()}
	path, query, _ := strings.Cut(u.RequestURI(), "?")
	if c.o.Proxy == nil && !strings.HasPrefix(path, "//") {
		target.Opaque, target.RawQuery = path, query
	} else if parsed, err := url.Parse(u.String()); err == nil {
		target = parsed
	} else {
		target.Path, target.RawQuery = path, query
	}
	req := &http.Request{Method: http.MethodGet, URL: target, Host: target.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if host := header.Get("Host"); host != "" {
		req.Host = host
	}
	return req.WithContext(ctx)
}

// readBody reads and decodes the body into r.
func (r *response) readBody(resp *http.Response, limit int64, cut bool, count func(int64)) error {
	names := bodyCodings(resp.Header)
	wire := &wireReader{r: r.taped(resp.Body, limit), count: count, left: math.MaxInt64}
	if limit > 0 && len(names) > 0 {
		wire.left = limit + codedSlack
	} else if limit > 0 && resp.ContentLength > limit && !cut {
		return &bodyError{fmt.Sprintf("the body has %d bytes, more than the %d allowed (see --max-body)",
			resp.ContentLength, limit)}
	}
	d, err := decode(wire, names, r)
	defer d.close()
	if err != nil {
		return wire.failure(err)
	}
	var body io.Reader = d
	if err := r.takeBuffer(resp.ContentLength, limit); err != nil {
		return err
	}
	most := int64(0)
	if limit > 0 {
		most = limit + 1
		body = io.LimitReader(body, most)
	}
	err = readInto(r.buf, body, most, r.takeRoom)
	r.body = r.buf.Bytes()
	if limit > 0 && int64(len(r.body)) > limit {
		r.body = r.body[:limit]
		if !cut {
			return &bodyError{fmt.Sprintf("the body has more than the %d bytes allowed (see --max-body)", limit)}
		}
		return nil
	}
	if err != nil {
		return wire.failure(err)
	}
	sum := sha256.Sum256(r.body)
	r.hash = hex.EncodeToString(sum[:])
	return nil
}

// takeBuffer takes a buffer for the body, with room for as much as the server says that it will send.
func (r *response) takeBuffer(length, limit int64) error {
	r.buf = bodyBuffers.Get().(*bytes.Buffer)
	if err := r.takeRoom(int64(r.buf.Cap())); err != nil {
		return err
	}
	if length <= 0 || length > maxPooled {
		return nil
	}
	if limit > 0 {
		length = min(length, limit) // what a server says may be a lie
	}
	return makeRoom(r.buf, int(length)+bytes.MinRead, 0, r.takeRoom)
}

// wireReader reads a body as it comes over the wire, counts it and ends it when it becomes too long.
type wireReader struct {
	r     io.Reader
	count func(int64)
	left  int64
	err   error // of the exchange
}

var errEncodedTooLong = &bodyError{"the encoded body is longer than what it may decode to (see --max-body)"}

func (w *wireReader) Read(p []byte) (int, error) {
	if w.left <= 0 {
		w.err = errEncodedTooLong
		return 0, w.err
	}
	n, err := w.r.Read(p[:min(int64(len(p)), w.left)])
	w.count(int64(n))
	w.left -= int64(n)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// failure returns why a body could not be read: what the exchange failed with, if it did, for that may be worth another
// try, and a decoder may have put it in its own words.
func (w *wireReader) failure(err error) error {
	if w.err != nil {
		return w.err
	}
	if known, ok := errors.AsType[*bodyError](err); ok {
		return known
	}
	return &bodyError{fmt.Sprintf("decoding the body: %v", err)}
}

// timedOut says whether an exchange's time ran out.
func timedOut(err error) bool {
	e, ok := errors.AsType[*exchange.Error](err)
	return ok && e.Kind == exchange.Timeout
}

// stale says whether a request went out on a kept connection that the server had closed already.
func stale(err error) bool {
	var e *exchange.Error
	return errors.As(err, &e) && e.Kind == exchange.Stale
}

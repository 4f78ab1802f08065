package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

func (s *httpSource) read(ctx context.Context, c chunk) io.ReadCloser {
	h := &httpReader{httpSource: s, ctx: ctx, off: c.off, end: -1}
	if c.n >= 0 {
		h.end = c.off + c.n
	}
	return h
}

// httpReader reads one chunk, by as many requests as it takes: each goes on where the last one broke off.
type httpReader struct {
	*httpSource
	ctx   context.Context
	off   int64   // of the next byte
	end   int64   // below zero: as far as the answer goes
	stop  int64   // of the present request; the same
	got   *answer // nil between requests
	skip  int64   // how many bytes of it were read before
	fresh int64   // how many bytes the present try has brought
	tries int     // that brought little
	err   error   // that the present try has failed with
	done  bool    // all was read

	passed bool // the gate
}

// worthATry is how much a try must bring to be worth another one without end, in bytes.
const worthATry = 16 * kib

func (h *httpReader) Read(p []byte) (int, error) {
	for !h.done {
		if h.err != nil {
			if err := h.recover(); err != nil {
				return 0, err
			}
		}
		if h.got == nil {
			if err := h.begin(); err != nil {
				return 0, err
			}
			continue
		}
		if n := h.readSome(p); n > 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

func (h *httpReader) Close() error {
	h.drop(false)
	h.gate.unlock()
	return nil
}

// drop ends the present request.
func (h *httpReader) drop(good bool) {
	if h.got != nil {
		h.got.end(good)
		h.got = nil
	}
}

// readSome reads what has arrived, and returns how much of it is wanted.
func (h *httpReader) readSome(p []byte) int {
	if h.stop >= 0 {
		p = p[:min(int64(len(p)), h.stop-h.off)]
	}
	if h.skip > 0 {
		p = p[:min(int64(len(p)), h.skip)]
	}
	n, err := h.got.Body.Read(p)
	h.got.read += int64(n)
	if h.skip > 0 {
		h.skip -= int64(n)
		n = 0
	}
	h.off += int64(n)
	h.fresh += int64(n)
	switch {
	case h.off == h.stop:
		h.got.lane.brought(h.fresh, time.Since(h.got.sent))
		h.done, h.fresh, h.tries = h.off == h.end, 0, 0
		h.drop(true)
	case err == io.EOF && h.end < 0 && h.skip == 0 && (h.size < 0 || h.off == h.size):
		h.done = true
		h.drop(true)
	case err == io.EOF:
		h.fail(io.ErrUnexpectedEOF)
	case err != nil:
		h.fail(h.timedOut(h.got.Request.Context(), err))
	case h.end < 0 && h.size >= 0 && h.off > h.size:
		h.fail(h.changed())
	}
	return n
}

// fail ends a try.
func (h *httpReader) fail(err error) {
	h.err, h.got.failed = err, err
	h.drop(false)
}

// recover decides what is to be done about the end of a try. Without an error, another one is.
func (h *httpReader) recover() error {
	err := h.err
	h.err = nil
	if h.ctx.Err() != nil {
		return context.Cause(h.ctx)
	}
	if errors.As(err, new(*startOverError)) {
		return err
	}
	if h.fresh >= worthATry {
		h.tries = 0
	}
	h.fresh = 0
	h.tries++
	if e := h.web.retryLater(h.ctx, h.tries, err); e != nil {
		return h.reason(e)
	}
	if h.end < 0 && h.off > 0 && !h.version.known() {
		return &startOverError{"the connection broke, and nothing tells whether the file is still the same", h.cannot(err)}
	}
	return nil
}

// reason says what could not be read, unless the run has ended.
func (h *httpReader) reason(err error) error {
	if h.ctx.Err() != nil {
		return context.Cause(h.ctx)
	}
	return h.cannot(err)
}

// begin asks for what is left. Without an error and without an answer, it is to be called again.
func (h *httpReader) begin() error {
	if h.end >= 0 && !h.passed {
		if err := h.gate.pass(h.ctx); err != nil {
			return err
		}
		h.passed = true
	}
	h.mu.Lock()
	a, at, way := ask{method: http.MethodGet}, h.at, h.way
	single := h.single
	h.mu.Unlock()
	if h.stop = h.end; h.end >= 0 {
		if single {
			return h.noRanges()
		}
		h.stop = h.off + h.stride(at, h.end-h.off)
		if a.off, a.end = h.off, h.stop; way == byIfRange {
			a.ifRange = h.version.condition()
		}
	}
	got, err := h.request(h.ctx, at, a)
	if err != nil {
		if h.ctx.Err() != nil {
			return context.Cause(h.ctx)
		}
		if !passing(err) {
			return h.cannot(err)
		}
		h.err = err
		return nil
	}
	if err := h.take(got, a, at); err != nil || h.got == nil {
		return err
	}
	if got.at != at {
		h.mu.Lock()
		h.at = got.at
		h.mu.Unlock()
	}
	h.gate.unlock() // not before it is known how to ask
	return nil
}

// stride is how many of the bytes that are left the next request is for. A chunk size that was chosen is kept to.
func (h *httpReader) stride(at *url.URL, left int64) int64 {
	if h.ChunkSize > 0 {
		return left
	}
	return h.web.lanes.to(at).next(left, h.workers(), h.web.timeout)
}

// take looks at an answer, and ends it if it is not one to read.
func (h *httpReader) take(got *answer, a ask, asked *url.URL) error {
	var err error
	switch code := got.StatusCode; {
	case busy(code):
		err := h.status(got)
		if !h.waitFor(got) {
			return h.cannot(err)
		}
		return nil
	case code == http.StatusPartialContent && a.end > 0:
		err = h.takeRange(got, a)
	case code == http.StatusOK, hasAll(got.Response):
		err = h.takeAll(got, a)
	case code == http.StatusRequestedRangeNotSatisfiable && a.end > 0:
		if r, ok := parseContentRange(got.Header.Get("Content-Range")); ok && r.size != h.size {
			err = h.changed()
		} else {
			err = h.noRanges()
		}
	case broken(code):
		h.err = h.status(got)
	default:
		if h.err = h.status(got); !h.moved(asked, got.at) {
			h.err = nil
			err = h.cannot(h.status(got))
		}
	}
	if h.got == nil {
		got.end(false)
	}
	return err
}

// moved says whether what was asked for is a redirect's target, which may be there no more: such as are signed expire.
// Then the next one is asked for.
func (h *httpReader) moved(asked, at *url.URL) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at == asked {
		h.at = h.url
	}
	return at != h.url
}

// takeRange takes a part of the file if it is the one that was asked for, of the version that is known.
func (h *httpReader) takeRange(got *answer, a ask) error {
	r, ok := parseContentRange(got.Header.Get("Content-Range"))
	coding, _ := codingOf(got.Header, got.at.Path)
	verdict := h.version.judge(got.Header)
	switch {
	case verdict == otherVersion, ok && r.size >= 0 && r.size != h.size:
		return h.changed()
	case !ok || r.off != a.off || r.end != a.end || coding != "":
		return h.noRanges()
	case got.ContentLength >= 0 && got.ContentLength != a.end-a.off:
		return h.noRanges()
	case verdict == nothing && a.ifRange == "" && h.version.known():
		return h.noRanges()
	}
	h.got = got
	return nil
}

// takeAll takes the whole file, or notes that ranges of it have to be asked for in another way.
func (h *httpReader) takeAll(got *answer, a ask) error {
	if h.unsteady && h.off == 0 {
		h.version, _ = versionOf(got.Header, time.Now())
	}
	switch verdict := h.version.judge(got.Header); {
	case verdict == otherVersion, h.size >= 0 && got.ContentLength >= 0 && got.ContentLength != h.size:
		return h.changed()
	case a.end > 0 && a.ifRange != "" && verdict == sameVersion:
		h.mu.Lock()
		h.way = byRange
		h.mu.Unlock()
		return nil
	case a.end > 0:
		return h.noRanges()
	case h.off > 0 && verdict == nothing:
		return h.changed()
	}
	if coding, ofFile := codingOf(got.Header, got.at.Path); coding != "" && !ofFile {
		return h.cannot(fmt.Errorf("the server sends it in the content coding %s, which nobody has asked for", coding))
	}
	got.endless()
	h.got, h.skip = got, h.off
	return nil
}

// changed is what to say of a file that is another one now.
func (h *httpReader) changed() error {
	return &startOverError{"the source has changed", &ChangedError{h.shown}}
}

// noRanges is what to say of a server whose ranges are none. The whole file may still be right.
func (h *httpReader) noRanges() error {
	h.mu.Lock()
	h.single, h.known = true, true
	h.mu.Unlock()
	return &startOverError{
		"the server does not send ranges as they are asked for: one connection",
		h.cannot(errors.New("the server does not send the ranges that it is asked for")),
	}
}

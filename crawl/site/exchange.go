package site

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"

	"pace/limiter"
)

// exchange is the response to one request: it ends the request's count, keeps to the connection's rate, and breaks off where
// that is to happen.
type exchange struct {
	http.ResponseWriter
	site       *Site
	end        ending
	connection *connection
	head       bool // no body is sent

	status int   // 0 until the header is complete
	left   int64 // bytes of the body still to come; below 0 if its length is not known
	sent   int64 // bytes of the body
	failed bool  // the client has left

	fault string  // what the request fails with, besides a status
	cut   bool    // the body is cut
	where float64 // the share of it that is sent then, from 0 up to, but not including, 1
	room  int64   // the bytes of it that are yet to be sent then

	ctx   context.Context
	rate  *limiter.Rate // nil is unlimited
	slice int           // most bytes between two waits for the rate
}

// maxSlice is the most bytes that a fast rate is asked for at once.
const maxSlice = 64 << 10

// pace limits the body to the rate of its connection.
func (e *exchange) pace(ctx context.Context, perSecond float64) {
	if e.head {
		return
	}
	rate := limiter.NewRate(perSecond)
	if e.connection != nil {
		rate = e.connection.rate
	}
	e.ctx, e.rate = ctx, rate
	// A client should see a slow stream, not a lump each second: twenty slices a second.
	e.slice = int(max(1, min(perSecond/20, maxSlice)))
}

// WriteHeader begins the answer. One that is to be cut and has no body ends here, before its header is sent.
func (e *exchange) WriteHeader(code int) {
	if e.status == 0 {
		e.status = code
		if e.connection.crowded() {
			e.Header().Set("Connection", "close")
		}
		e.left = -1
		if n, err := strconv.ParseInt(e.Header().Get("Content-Length"), 10, 64); err == nil {
			e.left = n
		}
		if e.head || code == http.StatusNoContent || code == http.StatusNotModified {
			e.left = 0
		}
		if e.cut && e.left == 0 {
			e.status = 0
			e.connection.abort()
		}
		e.room = int64(e.where * float64(max(e.left, 0)))
	}
	e.ResponseWriter.WriteHeader(code)
}

// Write sends a part of the body, at the connection's rate.
func (e *exchange) Write(p []byte) (int, error) {
	if e.status == 0 {
		e.WriteHeader(http.StatusOK)
	}
	if e.rate == nil {
		return e.pass(p)
	}
	sent := 0
	for sent < len(p) {
		part := p[sent:min(sent+e.slice, len(p))]
		if err := e.rate.Wait(e.ctx, int64(len(part))); err != nil {
			e.failed = true
			return sent, err
		}
		n, err := e.pass(part)
		sent += n
		if err != nil {
			return sent, err
		}
		// The server would hold back up to 4 KiB. Its error would be the next Write's too.
		_ = http.NewResponseController(e.ResponseWriter).Flush()
	}
	return sent, nil
}

// ReadFrom sends a part of the body that r has, as [io.Copy] would with pieces of another size.
func (e *exchange) ReadFrom(r io.Reader) (n int64, err error) {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	piece := e.site.pieceSize()
	*b = slices.Grow((*b)[:0], piece)[:piece]
	for {
		got, readErr := r.Read(*b)
		sent, err := e.Write((*b)[:got])
		n += int64(sent)
		switch {
		case err != nil:
			return n, err
		case readErr == io.EOF:
			return n, nil
		case readErr != nil:
			return n, readErr
		}
	}
}

// pass sends p. Before the last byte it ends the request's count: a client that has the whole response may start its
// next request, on another connection, before this goroutine runs again, and would be counted as two in flight.
func (e *exchange) pass(p []byte) (int, error) {
	if e.head {
		return e.ResponseWriter.Write(p)
	}
	if e.cut && int64(len(p)) >= e.room {
		n, _ := e.ResponseWriter.Write(p[:e.room])
		e.sent += int64(n)
		_ = http.NewResponseController(e.ResponseWriter).Flush() // the server would drop what it holds back
		e.connection.abort()
	}
	if e.left >= 0 {
		if e.left -= int64(len(p)); e.left <= 0 {
			e.end.done()
		}
	}
	n, err := e.ResponseWriter.Write(p)
	e.sent += int64(n)
	e.room -= int64(n)
	e.failed = e.failed || err != nil
	return n, err
}

// Unwrap is for [http.ResponseController].
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }

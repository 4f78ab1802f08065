package site

import (
	"context"
	"net/http"
	"strconv"

	"pace/limiter"
)

// exchange is the response to one request: it ends the request's count and holds the connection's rate.
type exchange struct {
	http.ResponseWriter
	end ending

	begun bool
	left  int64 // bytes of the body still to come, if its length is known

	ctx   context.Context
	rate  *limiter.Rate // nil is unlimited
	slice int           // most bytes between two waits for the rate
}

type connRateKey struct{}

// maxSlice is the most bytes that a fast rate is asked for at once.
const maxSlice = 64 << 10

// pace limits the body to the rate of its connection.
func (e *exchange) pace(ctx context.Context, perSecond float64) {
	rate, ok := ctx.Value(connRateKey{}).(*limiter.Rate)
	if !ok {
		rate = limiter.NewRate(perSecond)
	}
	e.ctx, e.rate = ctx, rate
	// A client should see a slow stream, not a lump each second: twenty slices a second.
	e.slice = int(max(1, min(perSecond/20, maxSlice)))
}

// Write sends a part of the body, at the connection's rate.
func (e *exchange) Write(p []byte) (int, error) {
	if e.rate == nil {
		return e.pass(p)
	}
	sent := 0
	for sent < len(p) {
		part := p[sent:min(sent+e.slice, len(p))]
		if err := e.rate.Wait(e.ctx, int64(len(part))); err != nil {
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

// pass sends p. Before the last byte it ends the request's count: a client that has the whole response may start its
// next request, on another connection, before this goroutine runs again, and would be counted as two in flight.
func (e *exchange) pass(p []byte) (int, error) {
	if !e.begun {
		e.begun = true
		var err error
		if e.left, err = strconv.ParseInt(e.Header().Get("Content-Length"), 10, 64); err != nil {
			e.left = -1
		}
	}
	if e.left >= 0 {
		if e.left -= int64(len(p)); e.left <= 0 {
			e.end.done()
		}
	}
	return e.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }

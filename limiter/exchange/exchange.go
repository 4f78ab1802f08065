package exchange

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// exchange is one request and its answer. It is also the body of the answer.
type exchange struct {
	client *Client
	req    *http.Request
	ctx    context.Context
	trace  *Trace

	deadline time.Time   // of the whole exchange; zero for none
	ctxFirst bool        // the deadline is the context's
	stop     func() bool // ends the watch over the context; nil if there is nothing to watch
	conn     *conn
	addr     netip.AddrPort // the peer, for errors
	start    time.Time      // of the writing
	sent     bool           // net/http has the request, and closes its body
	withheld error          // BeforeWrite's
	keep     bool           // neither side wants the connection closed after this answer

	watch     sync.Mutex // held while sock is interrupted
	cancelled bool       // guarded by watch
	sock      socket     // what a cancellation interrupts; guarded by watch

	body sync.Mutex    // held while the body is read
	src  io.ReadCloser // net/http's view of the body; guarded by body
	over error         // what Read returns from now on; guarded by body
}

// run does the exchange up to the end of the answer's header. The caller finishes it if it fails.
func (x *exchange) run(fresh bool) (*http.Response, error) {
	route, err := x.client.route(x.req)
	if err != nil {
		return nil, x.fail(Invalid, "request", err)
	}
	x.begin()
	if !fresh {
		x.conn = x.reuse(route.key)
	}
	if x.conn == nil {
		if x.conn, err = x.open(route); err != nil {
			return nil, err
		}
	}
	x.addr, x.trace.Addr = x.conn.addr, x.conn.addr
	if err := x.write(route); err != nil {
		return nil, err
	}
	resp, err := x.read()
	if err != nil {
		return nil, err
	}
	x.keep = x.keep && !resp.Close && !x.req.Close
	if resp.Body == http.NoBody {
		x.finish(true)
		return resp, nil
	}
	x.src, resp.Body = resp.Body, x
	return resp, nil
}

// begin sets the deadline and starts to watch the context.
func (x *exchange) begin() {
	if d := x.client.o.Timeout; d > 0 {
		x.deadline = time.Now().Add(d)
	}
	if d, ok := x.ctx.Deadline(); ok && (x.deadline.IsZero() || d.Before(x.deadline)) {
		x.deadline, x.ctxFirst = d, true
	}
	if x.ctx.Done() != nil {
		x.stop = context.AfterFunc(x.ctx, x.cancel)
	}
}

// cancel ends whatever the exchange waits for. It runs on a goroutine of its own.
func (x *exchange) cancel() {
	x.watch.Lock()
	defer x.watch.Unlock()
	x.cancelled = true
	if x.sock != nil {
		x.sock.interrupt()
	}
}

// attach makes s what a cancellation interrupts. It reports false if the exchange is cancelled already: nobody would
// interrupt s any more.
func (x *exchange) attach(s socket) bool {
	x.watch.Lock()
	defer x.watch.Unlock()
	x.sock = s
	return !x.cancelled
}

// detach ends the watch over the context. Afterwards the socket may serve another exchange, unless detach reports that
// it was interrupted.
func (x *exchange) detach() (ok bool) {
	if x.stop != nil {
		x.stop()
	}
	return x.attach(nil)
}

// reuse returns a kept connection, or nil if there is none that lives.
func (x *exchange) reuse(k key) *conn {
	for {
		c := x.client.idle.take(k)
		if c == nil {
			return nil
		}
		if x.attach(c.sock) && c.sock.SetDeadline(x.deadline) == nil && c.quiet() {
			x.trace.Reused = true
			return c
		}
		x.attach(nil)
		c.close()
	}
}

// write sends the request.
func (x *exchange) write(r route) error {
	c := x.conn
	c.begin(x.client.o.MaxHeader, x)
	x.keep, x.sent = true, true
	var err error
	if r.absolute {
		err = r.request.WriteProxy(c.bw)
	} else {
		err = writeRequest(c.bw, r.request)
	}
	if err == nil {
		err = c.bw.Flush()
	}
	switch {
	case err == nil:
		return nil
	case x.withheld != nil:
		// Nothing of the request is on the wire: the connection is as good as before.
		c.bw.Reset(c)
		x.finish(true)
		return x.fail(Withheld, "write", x.withheld)
	case c.err == nil:
		return x.fail(Invalid, "write", err) // net/http refuses the request, or the request's body failed
	case broken(c.err) && x.req.Body != nil && x.answered():
		// A server may answer and close before it has read the whole body (413, 403): the answer is what counts.
		x.keep = false
		return nil
	case broken(c.err) && x.trace.Reused:
		return x.fail(Stale, "write", c.err)
	}
	return x.fail(Connection, "write", c.err) // err may wrap it as if the body had failed
}

// beforeWrite is called just before the first byte of the request is written.
func (x *exchange) beforeWrite() error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	if hook := x.trace.BeforeWrite; hook != nil {
		if err := hook(); err != nil {
			x.withheld = err
			return err
		}
	}
	x.start = time.Now()
	return nil
}

// answered waits for the first byte of an answer on a connection that takes no more bytes.
func (x *exchange) answered() bool {
	_, err := x.conn.br.Peek(1)
	return err == nil
}

// maxInterim is how many 1xx answers may come before the real one.
const maxInterim = 5

// read reads the header of the answer.
func (x *exchange) read() (*http.Response, error) {
	c := x.conn
	if _, err := c.br.Peek(1); err != nil {
		if x.trace.Reused && broken(err) {
			return nil, x.fail(Stale, "read", err)
		}
		return nil, x.fail(Connection, "read", err)
	}
	x.trace.TTFB = time.Since(x.start)
	if err := x.watchSpeed(); err != nil {
		return nil, x.fail(Connection, "read", err)
	}
	for range maxInterim + 1 {
		resp, err := http.ReadResponse(c.br, x.req)
		switch {
		case err != nil && c.err != nil:
			// err may only complain of the half line that came before.
			return nil, x.fail(Connection, "read", c.err)
		case err != nil:
			return nil, x.fail(Malformed, "read", err)
		case resp.StatusCode < 100:
			return nil, x.fail(Malformed, "read", errStatus)
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, x.fail(Malformed, "read", errUpgrade)
		case resp.StatusCode >= 200:
			c.unlimited()
			c.endTape()
			return resp, nil
		}
		c.skipTape()
	}
	return nil, x.fail(Malformed, "read", errInterim)
}

// finish ends the exchange. The connection is kept if whole says that the answer was read to its end, and if nothing
// else speaks against it.
func (x *exchange) finish(whole bool) {
	untouched := x.detach()
	c := x.conn
	if c == nil {
		return
	}
	x.conn = nil
	if whole && untouched && x.keep && c.br.Buffered() == 0 {
		x.client.idle.put(c)
		return
	}
	c.close()
}

// Read reads the body of the answer.
func (x *exchange) Read(p []byte) (int, error) {
	x.body.Lock()
	defer x.body.Unlock()
	if x.over != nil {
		return 0, x.over
	}
	n, err := x.src.Read(p)
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF:
		x.end(io.EOF)
	case x.conn.err != nil:
		x.end(x.fail(Connection, "read", x.conn.err))
	default:
		x.end(x.fail(Malformed, "read", err))
	}
	return n, x.over
}

// Close ends the exchange. What is left of the body is skipped if it has arrived already; otherwise the connection is
// closed, because waiting for the rest could take for ever.
func (x *exchange) Close() error {
	if !x.body.TryLock() {
		x.cancel() // another goroutine reads
		x.body.Lock()
	}
	defer x.body.Unlock()
	if x.over == nil {
		x.skip()
	}
	x.over = http.ErrBodyReadAfterClose
	return nil
}

// maxSkip is how many bytes of a body are read only to keep the connection.
const maxSkip = 64 << 10

// skip reads what has arrived of the body, without waiting. It requires that body is held.
func (x *exchange) skip() {
	x.conn.speed = nil
	x.conn.sock.setProbing(true)
	_, err := io.CopyN(io.Discard, x.src, maxSkip)
	x.conn.sock.setProbing(false)
	if err == io.EOF {
		x.end(io.EOF)
	} else {
		x.end(net.ErrClosed)
	}
}

// end makes Read return err from now on. It requires that body is held.
func (x *exchange) end(err error) {
	x.over = err
	x.finish(err == io.EOF)
}

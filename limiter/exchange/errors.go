package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Kind says what went wrong with an exchange, for callers that decide whether to try again.
type Kind int

const (
	// Connection: no name, no connection, or a connection that broke or ended before the answer was whole.
	Connection Kind = iota
	// Timeout: [Options].Timeout, the context's deadline or the kernel's own time ran out, or the answer came more slowly
	// than [Options].MinSpeed.
	Timeout
	// Stale: a kept connection broke before the first byte of an answer, mostly because the server closed it while it
	// was idle. The request was written, so a caller that spaces its requests must wait its turn again.
	Stale
	// Cancelled: the request's context was cancelled.
	Cancelled
	// Refused: [Options].Control refused every address.
	Refused
	// Withheld: [Trace].BeforeWrite returned an error, so that nothing was written.
	Withheld
	// HeaderTooLarge: the answer's header is longer than [Options].MaxHeader.
	HeaderTooLarge
	// Malformed: the answer is not HTTP/1.x.
	Malformed
	// TLS: the handshake failed, for instance on a certificate.
	TLS
	// Proxy: the proxy answered that it will not connect.
	Proxy
	// Invalid: the request cannot be sent as it is, or its body could not be read.
	Invalid
)

// Error is what every failed exchange returns, from Do and from the body's Read. Its text does not depend on the mode.
type Error struct {
	Kind Kind
	Op   string         // what was being done: "lookup", "connect", "connect to the proxy", "proxy", "tls", "write", "read"
	Addr netip.AddrPort // the peer, where there is one
	// Err is the cause. For Cancelled, and for a Timeout that came from the context, it matches ctx.Err(); for Refused
	// and Withheld it is the hook's error.
	Err error
}

func (e *Error) Error() string {
	if e.Addr.IsValid() {
		return fmt.Sprintf("%s %s: %v", e.Op, e.Addr, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Op, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether time ran out. It makes an Error a net.Error in all but the deprecated part.
func (e *Error) Timeout() bool { return e.Kind == Timeout }

// Retryable reports whether err is the failure of an exchange that may succeed when it is tried again: the connection,
// or the time, failed. A name that does not exist is not.
func Retryable(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	var dns *net.DNSError
	if errors.As(e.Err, &dns) && dns.IsNotFound {
		return false
	}
	return e.Kind == Connection || e.Kind == Timeout || e.Kind == Stale
}

var (
	errHeaderTooLarge = errors.New("the header of the answer is too large")
	errInterim        = errors.New("too many interim answers")
	errUpgrade        = errors.New("the server switches to a protocol that nobody asked for")
	errStatus         = errors.New("status code below 100")
)

// fail turns what a system call, a parser or a hook returned into an [*Error]. kind is what it is taken for unless it
// shows itself to be something else.
func (x *exchange) fail(kind Kind, op string, err error) error {
	e := &Error{Kind: kind, Op: op, Addr: x.addr, Err: plain(err)}
	switch {
	case kind == Withheld || kind == Refused || kind == Invalid:
	case x.ctx.Err() != nil:
		e.Kind, e.Err = Cancelled, x.ctx.Err()
		if errors.Is(e.Err, context.DeadlineExceeded) {
			e.Kind = Timeout
		}
		if cause := context.Cause(x.ctx); !errors.Is(cause, e.Err) {
			e.Err = fmt.Errorf("%w: %w", e.Err, cause)
		}
	case errors.Is(err, errHeaderTooLarge):
		e.Kind = HeaderTooLarge
	case errors.Is(err, errTooSlow):
		e.Kind = Timeout
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Err = Timeout, os.ErrDeadlineExceeded
		if x.ctxFirst {
			e.Err = context.DeadlineExceeded // the socket saw the context's deadline before the context's timer did
		}
	case isTimeout(err):
		e.Kind = Timeout
	case errors.Is(err, io.EOF):
		e.Err = io.ErrUnexpectedEOF
	}
	return e
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// plain removes the wrapping that the net package gives to errors of polled sockets. It holds the local port, and
// would make the same failure read differently in each mode and in each run.
func plain(err error) error {
	var op *net.OpError
	for errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err
}

// failedIO reports whether err comes from the connection, and not from what was read over it.
func failedIO(err error) bool {
	var call *os.SyscallError
	return broken(err) || isTimeout(err) || errors.Is(err, net.ErrClosed) || errors.As(err, &call)
}

// broken reports whether err is how a peer's closing of the connection shows itself.
func broken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

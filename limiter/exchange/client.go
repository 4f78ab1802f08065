// Package exchange does one HTTP/1.1 exchange: it writes a request, reads the answer and keeps the connection.
//
// All of it runs on the calling goroutine, so that in mode threads the caller's own OS thread makes every connect, send
// and recv; http.Transport reads on goroutines of its own. Requests are written and answers are parsed by net/http, and
// a mode changes only the connection below: a socket on the runtime's poller for [limiter.Async], a blocking descriptor
// for the other modes where the system has one (Linux). No goroutine belongs to a connection in any mode.
//
// Redirects, cookies and decompression are the caller's. HTTP/2 is not spoken.
package exchange

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"pace/limiter"
)

// Options says how exchanges are done. The zero value of each field is its default.
type Options struct {
	// Mode is how a connection waits.
	Mode limiter.Mode
	// Timeout bounds one exchange, from the lookup of the name to the last byte of the body; 0 is unlimited.
	Timeout time.Duration
	// MinSpeed is how many bytes of an answer must arrive in a second, its header included, over each SpeedWindow from the
	// first byte on. A slower answer fails with a Timeout. 0 waits for the Timeout.
	MinSpeed float64
	// SpeedWindow is the time over which the speed is measured; 0 means 10 s.
	SpeedWindow time.Duration
	// MaxHeader is the most bytes of an answer's header, the status line and interim answers included; 0 means 256 KiB.
	MaxHeader int64

	// MaxIdlePerHost is how many idle connections to one host are kept; 0 means no bound but MaxIdle.
	MaxIdlePerHost int
	// MaxIdle is how many idle connections are kept in all, each of them a descriptor; 0 means 512.
	MaxIdle int
	// IdleTimeout is how long an idle connection may be used again; 0 means 90 s.
	IdleTimeout time.Duration

	// Lookup returns the addresses of a host, best first; nil asks net.DefaultResolver. It is not asked about hosts
	// that are IP addresses.
	Lookup func(ctx context.Context, host string, port uint16) ([]netip.AddrPort, error)
	// Control is asked about each address just before it is connected to, after the lookup, so that a name that changes
	// its address (DNS rebinding) cannot slip past it. proxy says that the address is that of a proxy. An error refuses
	// the address. nil refuses none.
	Control func(host string, addr netip.AddrPort, proxy bool) error
	// Proxy returns the proxy for a URL (http, https, socks5 or socks5h), or nil for none. nil means no proxy.
	Proxy func(*url.URL) (*url.URL, error)
	// TLS is the configuration of TLS connections, the server's name and ALPN aside; nil means the default.
	TLS *tls.Config
}

// Client does exchanges and keeps their connections. It is safe for use by many goroutines, and implements
// http.RoundTripper. It must be closed.
type Client struct {
	o      Options
	tls    *tls.Config
	dial   dialFunc
	dialer net.Dialer
	idle   pool
}

const (
	defaultMaxHeader   = 256 << 10
	defaultMaxIdle     = 512
	defaultIdleTimeout = 90 * time.Second
	tlsSessions        = 256 // servers whose sessions are resumed
)

// New returns a Client.
func New(o Options) *Client {
	if o.MaxHeader <= 0 {
		o.MaxHeader = defaultMaxHeader
	}
	if o.MaxIdle <= 0 {
		o.MaxIdle = defaultMaxIdle
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = defaultIdleTimeout
	}
	if o.SpeedWindow <= 0 {
		o.SpeedWindow = defaultSpeedWindow
	}
	config := o.TLS.Clone()
	if config == nil {
		config = &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(tlsSessions)}
	}
	config.NextProtos = []string{"http/1.1"}
	c := &Client{o: o, tls: config}
	c.idle = pool{perHost: o.MaxIdlePerHost, total: o.MaxIdle, timeout: o.IdleTimeout}
	// Without a Timeout a peer that vanished would hold its worker for ever.
	keepAlive := o.Timeout <= 0
	c.dialer.KeepAlive = -1
	if keepAlive {
		c.dialer.KeepAlive = keepAlivePeriod
	}
	c.dial = dialPolled(&c.dialer)
	if blocks(o.Mode) {
		c.dial = dialBlocking(keepAlive)
	}
	return c
}

// blocks says whether the connections of a mode block the thread that uses them: who does one thing at a time needs no
// poller either, and would be woken by another thread each time.
func blocks(m limiter.Mode) bool { return m != limiter.Async && haveBlocking }

// Backend returns what a connection of this client waits in: "blocking" or "poller". In mode threads "poller" is a
// fallback that its user should hear about.
func (c *Client) Backend() string {
	if blocks(c.o.Mode) {
		return "blocking"
	}
	return "poller"
}

// Trace is told about one exchange, and may stop it.
type Trace struct {
	// BeforeWrite, if not nil, is called when the first byte of the request is about to be written, the connection
	// being ready. An error keeps the request from being written, and Do returns it in an [*Error] of kind Withheld.
	BeforeWrite func() error
	// Wrote, if not nil, is called when the system call that took the first byte is over, even one that failed:
	// politeness counts from here. Counted from before it, two requests would come closer whenever the kernel let this
	// thread wait in between.
	Wrote func()
	// Wire, if not nil, is given what went over the wire.
	Wire *Wire

	DNS     time.Duration  // the lookup; 0 for an address or a kept connection
	Connect time.Duration  // TCP, and the proxy's part; 0 for a kept connection
	TLS     time.Duration  // the handshake with the server; 0 for a kept connection
	TTFB    time.Duration  // from the write to the first byte of the answer
	Reused  bool           // the connection was used before
	Addr    netip.AddrPort // the peer: the server, or the proxy
}

// Do writes the request once and returns the answer, whose body is read on the goroutine that calls Read and must be
// closed. t may be nil. req.Context cancels the exchange up to the end of the body.
//
// Every error is an [*Error]. Do never writes a request a second time, because the second writing would come without
// its turn: see [Stale].
func (c *Client) Do(req *http.Request, t *Trace) (*http.Response, error) {
	return c.do(req, t, false)
}

// do is Do; fresh keeps it from using a kept connection.
func (c *Client) do(req *http.Request, t *Trace, fresh bool) (*http.Response, error) {
	if t == nil {
		t = &Trace{}
	}
	x := &exchange{client: c, req: req, ctx: req.Context(), trace: t}
	resp, err := x.run(fresh)
	if err != nil {
		x.finish(false)
		if req.Body != nil && !x.sent {
			_ = req.Body.Close()
		}
		return nil, err
	}
	return resp, nil
}

// RoundTrip is [Client.Do] for callers that take an http.RoundTripper. It tries once more, on a new connection, if a
// kept connection turns out to be closed and the request is safe to repeat (RFC 9110 section 9.2.1).
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.do(req, nil, false)
	if e, failed := errors.AsType[*Error](err); !failed || e.Kind != Stale || !replayable(req) {
		return resp, err
	}
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		again := *req
		again.Body = body
		req = &again
	}
	return c.do(req, nil, true)
}

// replayable reports whether a request that may have reached the server can be written again.
func replayable(req *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return false
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// CloseIdleConnections closes the connections that no exchange uses.
func (c *Client) CloseIdleConnections() { c.idle.clear(false) }

// Close closes the idle connections; those in use close when their exchange ends.
func (c *Client) Close() { c.idle.clear(true) }

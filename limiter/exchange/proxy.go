package exchange

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/proxy"
)

// openProxied connects to the proxy, and where the proxy does not read requests itself, through it to the server.
// nc is what the request, or TLS with the server, goes over.
func (x *exchange) openProxied(r route) (s socket, nc net.Conn, err error) {
	host, port, err := hostPort(r.proxy)
	if err != nil {
		return nil, nil, x.fail(Invalid, "proxy", err)
	}
	if s, err = x.connect(host, port, true); err != nil {
		return nil, nil, err
	}
	start := time.Now()
	nc = s
	switch r.proxy.Scheme {
	case "http", "https":
		if r.proxy.Scheme == "https" {
			nc, err = x.handshake(nc, host)
		}
		if err == nil && !r.absolute {
			err = x.tunnel(nc, r)
		}
	default:
		err = x.socks(nc, r)
	}
	x.trace.Connect += time.Since(start)
	if err != nil {
		_ = s.Close()
		return nil, nil, err
	}
	return s, nc, nil
}

// tunnel asks the proxy for a connection to the server (RFC 9110 section 9.3.6).
func (x *exchange) tunnel(nc net.Conn, r route) error {
	target := net.JoinHostPort(r.host, strconv.Itoa(int(r.port)))
	req := &http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Opaque: target},
		Host:   target,
		Header: http.Header{},
	}
	if auth := proxyAuth(r.proxy); auth != "" {
		req.Header.Set("Proxy-Authorization", auth)
	}
	if agent, ok := x.req.Header["User-Agent"]; ok {
		req.Header["User-Agent"] = agent
	}
	if err := writeAll(nc, req); err != nil {
		return x.fail(Connection, "proxy", err)
	}
	limited := &io.LimitedReader{R: nc, N: x.client.o.MaxHeader}
	br := bufio.NewReader(limited)
	resp, err := http.ReadResponse(br, req) //nolint:bodyclose // closing would wait for the tunnel's end
	switch {
	case err != nil && limited.N <= 0:
		return x.fail(HeaderTooLarge, "proxy", errHeaderTooLarge)
	case err != nil && failedIO(err):
		return x.fail(Connection, "proxy", err)
	case err != nil:
		return x.fail(Malformed, "proxy", err)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return x.fail(Proxy, "proxy", fmt.Errorf("the proxy answers %q to CONNECT %s", resp.Status, target))
	case br.Buffered() > 0:
		return x.fail(Malformed, "proxy", errors.New("the proxy sends bytes before the server can have"))
	}
	return nil
}

// writeAll writes a request without a body in one piece.
func writeAll(w io.Writer, req *http.Request) error {
	bw := bufio.NewWriter(w)
	if err := req.Write(bw); err != nil {
		return err
	}
	return bw.Flush()
}

// socks asks a SOCKS5 proxy for a connection to the server (RFC 1928). As curl has it, the proxy looks the name up for
// the scheme socks5h, and we do for socks5; then the server's address must pass Control.
func (x *exchange) socks(nc net.Conn, r route) error {
	peer := x.addr
	host := r.host
	if r.proxy.Scheme == "socks5" {
		addr, err := x.resolve(r)
		if err != nil {
			return err
		}
		host = addr.Addr().WithZone("").String()
	}
	x.addr = peer
	var auth *proxy.Auth
	if user := r.proxy.User; user != nil {
		password, _ := user.Password()
		auth = &proxy.Auth{User: user.Username(), Password: password}
	}
	dialer, err := proxy.SOCKS5("tcp", peer.String(), auth, connected{nc})
	if err != nil {
		return x.fail(Invalid, "proxy", err)
	}
	// Not DialContext: it would watch the context on a goroutine of its own, and the socket is watched already.
	if _, err := dialer.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(int(r.port)))); err != nil {
		if failedIO(err) {
			return x.fail(Connection, "proxy", err)
		}
		return x.fail(Proxy, "proxy", err)
	}
	return nil
}

// resolve returns the server's first address that Control allows.
func (x *exchange) resolve(r route) (netip.AddrPort, error) {
	addrs, err := x.lookup(r.host, r.port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for _, addr := range addrs {
		x.addr = addr
		if err = x.control(r.host, addr, false); err == nil {
			return addr, nil
		}
	}
	return netip.AddrPort{}, x.fail(Refused, "connect", err)
}

// connected is a proxy.Dialer that has dialled already.
type connected struct{ nc net.Conn }

func (c connected) Dial(string, string) (net.Conn, error) { return c.nc, nil }

// DialContext is there because the proxy package would call Dial on a goroutine of its own.
func (c connected) DialContext(context.Context, string, string) (net.Conn, error) { return c.nc, nil }

package exchange

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// dialFunc connects to addr until the deadline; zero is none. It hands the socket to attach before it waits, so that a
// cancellation can interrupt it, or ends itself with ctx. attach reporting false makes it fail.
type dialFunc func(ctx context.Context, addr netip.AddrPort, deadline time.Time, attach func(socket) bool) (socket, error)

const keepAlivePeriod = 15 * time.Second

// open makes a new connection.
func (x *exchange) open(r route) (*conn, error) {
	var (
		sock socket
		nc   net.Conn
		err  error
	)
	if r.proxy != nil {
		sock, nc, err = x.openProxied(r)
	} else {
		sock, err = x.connect(r.host, r.port, false)
		nc = sock
	}
	if err != nil {
		return nil, err
	}
	if r.scheme == "https" {
		start := time.Now()
		if nc, err = x.handshake(nc, r.host); err != nil {
			_ = sock.Close()
			return nil, err
		}
		x.trace.TLS = time.Since(start)
	}
	return newConn(r.key, sock, nc, x.addr), nil
}

// handshake starts TLS over nc. A context that can be cancelled would make crypto/tls close nc behind our back: a
// cancellation interrupts the socket instead.
func (x *exchange) handshake(nc net.Conn, host string) (net.Conn, error) {
	config := x.client.tls.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = strings.Cut(host, "%") // a certificate knows no zone
	}
	t := tls.Client(nc, config)
	if err := t.Handshake(); err != nil {
		if failedIO(err) {
			return nil, x.fail(Connection, "tls", err)
		}
		return nil, x.fail(TLS, "tls", err)
	}
	return t, nil
}

// connect looks host up and connects to the first of its addresses that can be had.
func (x *exchange) connect(host string, port uint16, proxy bool) (socket, error) {
	addrs, err := x.lookup(host, port)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	defer func() { x.trace.Connect += time.Since(start) }()
	op := "connect"
	if proxy {
		op = "connect to the proxy"
	}
	var first error
	for i, addr := range addrs {
		x.addr = addr
		if err := x.control(host, addr, proxy); err != nil {
			if first == nil {
				first = x.fail(Refused, op, err)
			}
			continue
		}
		s, err := x.client.dial(x.ctx, addr, share(time.Now(), x.deadline, len(addrs)-i), x.attach)
		if err == nil {
			return s, s.SetDeadline(x.deadline)
		}
		err = x.fail(Connection, op, err)
		// A refusal tells less than an attempt that failed.
		if e, failed := errors.AsType[*Error](first); !failed || e.Kind == Refused {
			first = err
		}
		if x.ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

func (x *exchange) control(host string, addr netip.AddrPort, proxy bool) error {
	if x.client.o.Control == nil {
		return nil
	}
	return x.client.o.Control(host, addr, proxy)
}

// minShare is the least time that is given to one of several addresses, if the deadline allows it.
const minShare = 2 * time.Second

// share returns until when one address may be tried, if as many as n are left to try until the deadline.
func share(now, deadline time.Time, n int) time.Time {
	if deadline.IsZero() || n <= 1 {
		return deadline
	}
	left := deadline.Sub(now)
	return now.Add(min(left, max(left/time.Duration(n), minShare)))
}

// lookup returns the addresses of host, of which there is at least one.
func (x *exchange) lookup(host string, port uint16) ([]netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), port)}, nil
	}
	ctx := x.ctx
	if !x.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, x.deadline)
		defer cancel()
	}
	start := time.Now()
	defer func() { x.trace.DNS += time.Since(start) }()
	find := x.client.o.Lookup
	if find == nil {
		find = lookupDefault
	}
	addrs, err := find(ctx, host, port)
	if err == nil && len(addrs) == 0 {
		err = fmt.Errorf("%s has no address", host)
	}
	if err != nil {
		return nil, x.fail(Connection, "lookup", err)
	}
	return addrs, nil
}

func lookupDefault(ctx context.Context, host string, port uint16) ([]netip.AddrPort, error) {
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip.Unmap(), port)
	}
	return addrs, err
}

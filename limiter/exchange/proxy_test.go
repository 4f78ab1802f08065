package exchange_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/exchange"
)

const secret = "user:pa ss"

// httpProxy is a proxy that asks for the secret. It answers plain requests itself, with their target.
func httpProxy(nc net.Conn, br *bufio.Reader) {
	for {
		req, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		if req.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(secret)) {
			_, _ = io.WriteString(nc, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
			continue
		}
		if req.Method == http.MethodConnect {
			relay(nc, br, req.Host, "HTTP/1.1 201 Any code of success will do\r\n\r\n") // RFC 9110 section 9.3.6
			return
		}
		body := "for " + req.RequestURI
		_, _ = fmt.Fprintf(nc, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
}

// relay connects nc with addr until one of them ends.
func relay(nc net.Conn, br *bufio.Reader, addr, ok string) {
	up, err := net.Dial("tcp", addr)
	if err != nil {
		_, _ = io.WriteString(nc, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	_, _ = io.WriteString(nc, ok)
	var wg sync.WaitGroup
	pipe := func(dst net.Conn, src io.Reader) {
		// The wrapping hides splice(2), whose pipes the runtime keeps open.
		_, _ = io.Copy(struct{ io.Writer }{dst}, struct{ io.Reader }{src})
		_ = up.Close()
		_ = nc.Close()
	}
	wg.Go(func() { pipe(up, br) })
	wg.Go(func() { pipe(nc, up) })
	wg.Wait()
}

// socksProxy is a SOCKS5 proxy (RFC 1928) that asks for the secret (RFC 1929). names gets the host it is asked for.
func socksProxy(nc net.Conn, br *bufio.Reader, names map[string]string, asked chan<- string) {
	read := func(n byte) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(br, b); err != nil {
			return make([]byte, n)
		}
		return b
	}
	methods := read(read(2)[1])
	if !strings.Contains(string(methods), "\x02") {
		_, _ = nc.Write([]byte{5, 0xff})
		return
	}
	_, _ = nc.Write([]byte{5, 2})
	user := string(read(read(2)[1]))
	if password := string(read(read(1)[0])); user+":"+password != secret {
		_, _ = nc.Write([]byte{1, 1})
		return
	}
	_, _ = nc.Write([]byte{1, 0})
	head := read(4)
	var host string
	switch head[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(read(1)[0]))
	}
	port := read(2)
	asked <- host
	addr := fmt.Sprintf("%s:%d", host, int(port[0])<<8|int(port[1]))
	if to, ok := names[host]; ok {
		addr = to
	}
	relay(nc, br, addr, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
}

// through returns options that use the proxy at addr.
func through(mode limiter.Mode, scheme, addr, credentials string) exchange.Options {
	u := &url.URL{Scheme: scheme, Host: addr}
	if user, password, ok := strings.Cut(credentials, ":"); ok {
		u.User = url.UserPassword(user, password)
	}
	proxy := func(*url.URL) (*url.URL, error) { return u, nil }
	return exchange.Options{Mode: mode, Timeout: 10 * time.Second, Proxy: proxy}
}

func TestHTTPProxy(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		proxy := serve(t, func(_ int, nc net.Conn, br *bufio.Reader) { httpProxy(nc, br) })
		c := newClient(t, through(mode, "http", proxy.addr, secret))
		for _, target := range []string{"http://a.test/x?y", "http://b.test:81/"} {
			req := request(t, http.MethodGet, target, nil)
			do(t, mode, c, req).want(t, "for "+target)
			if len(req.Header) > 0 {
				t.Errorf("the request was changed: %v", req.Header)
			}
		}
		if n := proxy.conns.Load(); n != 1 {
			t.Errorf("%d connections for two plain requests, want 1", n)
		}
		r := get(t, mode, newClient(t, through(mode, "http", proxy.addr, "")), "http://a.test/")
		if r.err != nil || r.resp.StatusCode != http.StatusProxyAuthRequired {
			t.Errorf("%v, %v; want the proxy's 407", r.resp, r.err)
		}
	})
}

func TestTunnel(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
		}))
		t.Cleanup(target.Close)
		plain := serve(t, func(_ int, nc net.Conn, br *bufio.Reader) { httpProxy(nc, br) })
		overTLS := httptest.NewUnstartedServer(nil)
		overTLS.StartTLS() // for its certificate, which the target has too
		overTLS.Close()
		secure := serveTLS(t, overTLS.TLS.Certificates, httpProxy)

		for scheme, proxy := range map[string]*server{"http": plain, "https": secure} {
			o := through(mode, scheme, proxy.addr, secret)
			o.TLS = trust(target)
			c := newClient(t, o)
			for range 2 {
				get(t, mode, c, target.URL).want(t, "hello")
			}
			if n := proxy.conns.Load(); n != 1 {
				t.Errorf("%s: %d connections, want 1", scheme, n)
			}
			o = through(mode, scheme, proxy.addr, "wrong:one")
			o.TLS = trust(target)
			e := get(t, mode, newClient(t, o), target.URL).wantError(t, exchange.Proxy)
			if !strings.Contains(e.Error(), "407") || strings.Contains(e.Error(), "wrong") {
				t.Errorf("error %q; want one with the status, without the credentials", e)
			}
		}
	})
}

func TestSOCKS(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		target := serve(t, answer(hello, true))
		asked := make(chan string, 10)
		names := map[string]string{"remote.test": target.addr}
		proxy := serve(t, func(_ int, nc net.Conn, br *bufio.Reader) { socksProxy(nc, br, names, asked) })

		c := newClient(t, through(mode, "socks5h", proxy.addr, secret))
		for range 2 {
			get(t, mode, c, "http://remote.test/").want(t, "hello")
		}
		if host := <-asked; host != "remote.test" || proxy.conns.Load() != 1 {
			t.Errorf("the proxy was asked for %q over %d connections, want the name and 1", host, proxy.conns.Load())
		}

		// socks5 looks names up here, where Control can see what becomes of them.
		private := errors.New("private network")
		refuse := false
		o := through(mode, "socks5", proxy.addr, secret)
		o.Lookup = func(context.Context, string, uint16) ([]netip.AddrPort, error) {
			return []netip.AddrPort{netip.MustParseAddrPort(target.addr)}, nil
		}
		o.Control = func(_ string, addr netip.AddrPort, isProxy bool) error {
			if isProxy != (addr.String() == proxy.addr) {
				t.Errorf("control of %v, proxy %v", addr, isProxy)
			}
			if refuse && !isProxy {
				return private
			}
			return nil
		}
		c = newClient(t, o)
		local := "http://local.test:" + target.addr[strings.LastIndex(target.addr, ":")+1:]
		get(t, mode, c, local).want(t, "hello")
		if host := <-asked; host != "127.0.0.1" {
			t.Errorf("the proxy was asked for %q, want the address", host)
		}
		c.CloseIdleConnections()
		refuse = true
		if e := get(t, mode, c, local).wantError(t, exchange.Refused); !errors.Is(e, private) {
			t.Errorf("error %v, want Control's", e)
		}

		get(t, mode, newClient(t, through(mode, "socks5", proxy.addr, "wrong:one")), target.url).wantError(t, exchange.Proxy)
		get(t, mode, newClient(t, through(mode, "gopher", proxy.addr, "")), target.url).wantError(t, exchange.Invalid)
	})
}

// A proxy that says nothing is left when the context is cancelled.
func TestCancelInProxy(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		proxy := serve(t, func(_ int, _ net.Conn, br *bufio.Reader) { _, _ = io.Copy(io.Discard, br) })
		for _, scheme := range []string{"http", "https", "socks5h"} {
			ctx, cancel := context.WithCancel(t.Context())
			stop := time.AfterFunc(30*time.Millisecond, cancel)
			c := newClient(t, through(mode, scheme, proxy.addr, secret))
			do(t, mode, c, request(t, http.MethodGet, "https://a.test/", nil).WithContext(ctx)).wantError(t, exchange.Cancelled)
			stop.Stop()
			cancel()
		}
	})
}

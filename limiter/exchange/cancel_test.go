//go:build unix

package exchange_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/exchange"
)

// A waiting is one place in which an exchange waits for its peer.
type waiting struct {
	name string
	url  func(t *testing.T) string
	body int // bytes that are sent
}

func waitings() []waiting {
	silent := func(t *testing.T) string {
		return serve(t, func(_ int, _ net.Conn, br *bufio.Reader) { _, _ = br.ReadByte(); _, _ = io.Copy(io.Discard, br) }).url
	}
	return []waiting{
		{name: "connect", url: blackHole},
		{name: "header", url: silent},
		{name: "body", url: func(t *testing.T) string {
			return serve(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", true)).url
		}},
		{name: "handshake", url: func(t *testing.T) string { return "https" + silent(t)[len("http"):] }},
		{name: "send", body: 64 << 20, url: func(t *testing.T) string {
			done := make(chan struct{})
			s := serve(t, func(int, net.Conn, *bufio.Reader) { <-done })
			t.Cleanup(func() { close(done) }) // before serve's own, which waits for it
			return s.url
		}},
	}
}

func TestCancel(t *testing.T) {
	for _, w := range waitings() {
		t.Run(w.name, func(t *testing.T) {
			forEachMode(t, func(t *testing.T, mode limiter.Mode) {
				target := w.url(t)
				ctx, cancel := context.WithCancelCause(t.Context())
				enough := errors.New("enough")
				go func() {
					time.Sleep(50 * time.Millisecond) // let it wait
					cancel(enough)
				}()
				c := newClient(t, exchange.Options{Mode: mode})
				r := do(t, mode, c, request(t, http.MethodPut, target, bytes.NewReader(make([]byte, w.body))).WithContext(ctx))
				e := r.wantError(t, exchange.Cancelled)
				if !errors.Is(e, context.Canceled) || !errors.Is(e, enough) || exchange.Retryable(e) {
					t.Errorf("error %v; want one that is context.Canceled and its cause, and not to be retried", e)
				}
			})
		})
	}
}

func TestTimeout(t *testing.T) {
	const timeout = 60 * time.Millisecond
	for _, w := range waitings() {
		t.Run(w.name, func(t *testing.T) {
			forEachMode(t, func(t *testing.T, mode limiter.Mode) {
				target := w.url(t)
				start := time.Now()
				r := do(t, mode, newClient(t, exchange.Options{Mode: mode, Timeout: timeout}), request(t, http.MethodPut, target, bytes.NewReader(make([]byte, w.body))))
				if e := r.wantError(t, exchange.Timeout); !exchange.Retryable(e) || errors.Is(e, context.DeadlineExceeded) {
					t.Errorf("error %v; want one that may be retried and is not the context's", e)
				}
				if took := time.Since(start); took < timeout {
					t.Errorf("gave up after %v, before its time", took)
				}

				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				c := newClient(t, exchange.Options{Mode: mode, Timeout: time.Hour})
				r = do(t, mode, c, request(t, http.MethodPut, target, bytes.NewReader(make([]byte, w.body))).WithContext(ctx))
				if e := r.wantError(t, exchange.Timeout); !errors.Is(e, context.DeadlineExceeded) {
					t.Errorf("error %v is not context.DeadlineExceeded", e)
				}
			})
		})
	}
}

func TestCancelledBefore(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := serve(t, answer(hello, true))
		c := newClient(t, exchange.Options{Mode: mode})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 2 { // without and with a kept connection
			r := do(t, mode, c, request(t, http.MethodGet, s.url, nil).WithContext(ctx))
			r.wantError(t, exchange.Cancelled)
			if r.asked != 0 {
				t.Error("BeforeWrite was called")
			}
			get(t, mode, c, s.url).want(t, "hello")
		}
	})
}

// A cancellation at any moment leaves the connections of other exchanges alone. One that comes when the body is just
// read must not shut down a connection that is idle, or another's, by then.
func TestCancelRaces(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := serve(t, answer(hello, true))
		c := newClient(t, exchange.Options{Mode: mode, Timeout: 10 * time.Second})
		for i := range 300 {
			ctx, cancel := context.WithCancel(t.Context())
			stop := time.AfterFunc(time.Duration(i)*time.Microsecond, cancel)
			r := do(t, mode, c, request(t, http.MethodGet, s.url, nil).WithContext(ctx))
			if r.err != nil {
				r.wantError(t, exchange.Cancelled)
			}
			get(t, mode, c, s.url).want(t, "hello")
			stop.Stop()
			cancel()
		}
	})
}

func TestCancelAtConnect(t *testing.T) {
	target := blackHole(t)
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		c := newClient(t, exchange.Options{Mode: mode}) // without a timeout: a lost cancellation would hang
		for i := range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			stop := time.AfterFunc(time.Duration(i)*2*time.Microsecond, cancel)
			do(t, mode, c, request(t, http.MethodGet, target, nil).WithContext(ctx)).wantError(t, exchange.Cancelled)
			stop.Stop()
			cancel()
		}
	})
}

// Each address gets a share of the time, so that a black hole does not eat what the next one needs.
func TestNextAddress(t *testing.T) {
	hole, closed := blackHoleAddr(t), closedAddr(t)
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := serve(t, answer(hello, true))
		for _, bad := range []netip.AddrPort{closed, hole} {
			if bad == hole && mode == limiter.Sequential {
				continue // it is async, and takes seconds
			}
			c := newClient(t, exchange.Options{
				Mode: mode, Timeout: 5 * time.Second, // half of it for the first address
				Lookup: func(_ context.Context, host string, port uint16) ([]netip.AddrPort, error) {
					if host != "two.test" || port != 80 {
						t.Errorf("lookup of %s:%d", host, port)
					}
					return []netip.AddrPort{bad, netip.MustParseAddrPort(s.addr)}, nil
				},
			})
			r := get(t, mode, c, "http://Two.test/")
			r.want(t, "hello")
			if r.trace.DNS <= 0 || r.trace.Addr.String() != s.addr {
				t.Errorf("trace %+v", r.trace)
			}
		}
	})
}

func TestConnectErrors(t *testing.T) {
	var texts []string
	addr := closedAddr(t)
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		c := newClient(t, exchange.Options{Mode: mode, Timeout: 10 * time.Second})
		r := get(t, mode, c, "http://"+addr.String())
		if e := r.wantError(t, exchange.Connection); !exchange.Retryable(e) || e.Addr != addr {
			t.Errorf("error %v; want a retryable one with the address", e)
		}
		texts = append(texts, r.err.Error())

		none := &net.DNSError{Err: "no such host", Name: "none.test", IsNotFound: true}
		c = newClient(t, exchange.Options{
			Mode:   mode,
			Lookup: func(context.Context, string, uint16) ([]netip.AddrPort, error) { return nil, none },
		})
		r = get(t, mode, c, "http://none.test/")
		if e := r.wantError(t, exchange.Connection); exchange.Retryable(e) || !errors.Is(e, none) {
			t.Errorf("error %v; want the resolver's, not to be retried", e)
		}

		for _, bad := range []string{"ftp://x/", "http:///", "http://h:0/", "http://h:70000/"} {
			u, err := url.Parse(bad)
			if err != nil {
				t.Fatal(err)
			}
			do(t, mode, c, &http.Request{Method: http.MethodGet, URL: u}).wantError(t, exchange.Invalid)
		}
		req := request(t, http.MethodGet, "http://x/", nil)
		req.Header["Bad\r\nName"] = []string{"x"}
		do(t, mode, c, req).wantError(t, exchange.Invalid)
	})
	if len(slices.Compact(slices.Clone(texts))) != 1 {
		t.Errorf("the modes word it differently: %q", texts)
	}
}

// Control sees each address after the lookup. It may refuse one and leave the next.
func TestControl(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := serve(t, answer(hello, true))
		good := netip.MustParseAddrPort(s.addr)
		private := errors.New("private network")
		addrs := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80"), good}
		c := newClient(t, exchange.Options{
			Mode: mode, Timeout: 10 * time.Second,
			Lookup: func(context.Context, string, uint16) ([]netip.AddrPort, error) { return addrs, nil },
			Control: func(host string, addr netip.AddrPort, proxy bool) error {
				if host != "rebind.test" || proxy {
					t.Errorf("control of %s, proxy %v", host, proxy)
				}
				if addr != good {
					return private
				}
				return nil
			},
		})
		get(t, mode, c, "http://rebind.test/").want(t, "hello")
		c.CloseIdleConnections()
		addrs = addrs[:1]
		r := get(t, mode, c, "http://rebind.test/")
		if e := r.wantError(t, exchange.Refused); !errors.Is(e, private) || exchange.Retryable(e) {
			t.Errorf("error %v; want Control's, not to be retried", e)
		}
	})
}

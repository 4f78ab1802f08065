package exchange_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/exchange"
)

func TestReuse(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := serve(t, answer(hello, true))
		c := newClient(t, exchange.Options{Mode: mode, Timeout: 10 * time.Second})
		for i := range 20 {
			r := get(t, mode, c, s.url)
			r.want(t, "hello")
			if r.trace.Reused != (i > 0) {
				t.Errorf("request %d: reused %v", i, r.trace.Reused)
			}
			if got := r.trace.Addr.String(); got != s.addr {
				t.Errorf("address %s, want %s", got, s.addr)
			}
			if r.trace.TTFB <= 0 || (r.trace.Connect > 0) == r.trace.Reused {
				t.Errorf("trace %+v", r.trace)
			}
		}
		c.CloseIdleConnections()
		if r := get(t, mode, c, s.url); r.err != nil || r.trace.Reused {
			t.Errorf("reused %v, error %v; want a new connection", r.trace.Reused, r.err)
		}
		if n := s.conns.Load(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
	})
}

// What happens to a connection while it is idle is seen before the next request is written, so that it is written once.
func TestIdleConnection(t *testing.T) {
	for name, after := range map[string]func(nc net.Conn){
		"closed":          func(nc net.Conn) { _ = nc.Close() },
		"reset":           func(nc net.Conn) { _ = nc.(*net.TCPConn).SetLinger(0); _ = nc.Close() },
		"unasked answer":  func(nc net.Conn) { _, _ = io.WriteString(nc, strings.Replace(hello, "hello", "wrong", 1)) },
		"request timeout": func(nc net.Conn) { _, _ = io.WriteString(nc, "HTTP/1.1 408 Request Timeout\r\n\r\n"); _ = nc.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			forEachMode(t, func(t *testing.T, mode limiter.Mode) {
				idle := make(chan net.Conn)
				requests := make(chan int, 10)
				s := serve(t, func(n int, nc net.Conn, br *bufio.Reader) {
					for {
						if _, err := http.ReadRequest(br); err != nil {
							return
						}
						requests <- n
						_, _ = io.WriteString(nc, hello)
						if n == 1 {
							idle <- nc
						}
					}
				})
				c := newClient(t, exchange.Options{Mode: mode, Timeout: 10 * time.Second})
				done := make(chan net.Conn, 1)
				go func() { done <- <-idle }()
				get(t, mode, c, s.url).want(t, "hello")
				after(<-done)
				time.Sleep(20 * time.Millisecond) // let it arrive
				r := get(t, mode, c, s.url)
				r.want(t, "hello")
				if r.asked != 1 || r.trace.Reused {
					t.Errorf("BeforeWrite called %d times, reused %v; want one call and a new connection", r.asked, r.trace.Reused)
				}
				if first, second := <-requests, <-requests; first != 1 || second != 2 {
					t.Errorf("requests on connections %d and %d, want 1 and 2", first, second)
				}
			})
		})
	}
}

// breaks returns a server whose first connection ends when its second request arrives.
func breaks(t *testing.T) *server {
	return serve(t, func(n int, nc net.Conn, br *bufio.Reader) {
		for i := 0; ; i++ {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(req.Body)
			if n == 1 && i == 1 {
				return
			}
			_, _ = fmt.Fprintf(nc, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n+%s", len(body)+1, body)
		}
	})
}

func TestStale(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := breaks(t)
		c := newClient(t, exchange.Options{Mode: mode, Timeout: 10 * time.Second})
		get(t, mode, c, s.url).want(t, "+")
		r := get(t, mode, c, s.url)
		if e := r.wantError(t, exchange.Stale); !exchange.Retryable(e) || r.asked != 1 {
			t.Errorf("retryable %v, BeforeWrite called %d times; want true, 1", exchange.Retryable(e), r.asked)
		}
		get(t, mode, c, s.url).want(t, "+")
	})
}

func TestRoundTripRepeats(t *testing.T) {
	none := func() io.Reader { return nil }
	memory := func() io.Reader { return strings.NewReader("abc") } // net/http can rewind it
	stream := func() io.Reader { return io.MultiReader(strings.NewReader("abc")) }
	for _, test := range []struct {
		method string
		body   func() io.Reader
		want   string // empty: Stale
	}{
		{"GET", none, "+"},
		{"GET", memory, "+abc"},
		{"GET", stream, ""},
		{"POST", memory, ""},
	} {
		forEachMode(t, func(t *testing.T, mode limiter.Mode) {
			s := breaks(t)
			c := newClient(t, exchange.Options{Mode: mode, Timeout: 10 * time.Second})
			get(t, mode, c, s.url).want(t, "+")
			inMode(t, mode, func() {
				resp, err := c.RoundTrip(request(t, test.method, s.url, test.body()))
				if test.want == "" {
					result{err: err}.wantError(t, exchange.Stale)
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if string(body) != test.want {
					t.Errorf("%s: body %q, want %q", test.method, body, test.want)
				}
			})
		})
	}
}

// A withheld request leaves the connection as it was, new or kept.
func TestBeforeWriteRefuses(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := serve(t, answer(hello, true))
		c := newClient(t, exchange.Options{Mode: mode, Timeout: 10 * time.Second})
		lost := errors.New("the lease is lost")
		for range 2 {
			for _, body := range []io.Reader{nil, strings.NewReader("x"), io.MultiReader(strings.NewReader("x"))} {
				var err error
				trace := &exchange.Trace{
					BeforeWrite: func() error { return lost },
					Wrote:       func() { t.Error("Wrote was called") },
				}
				inMode(t, mode, func() { _, err = c.Do(request(t, http.MethodPut, s.url, body), trace) })
				if e := (result{err: err}).wantError(t, exchange.Withheld); !errors.Is(e, lost) || exchange.Retryable(e) {
					t.Errorf("error %v; want the hook's, not to be retried", e)
				}
			}
			get(t, mode, c, s.url).want(t, "hello")
		}
		if n := s.conns.Load(); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}

// A body that is closed early costs the connection, unless what is left of it is here already.
func TestCloseEarly(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n"
	for _, test := range []struct {
		name   string
		answer string
		conns  int64
	}{
		{"all of it has arrived", head + strings.Repeat("x", 30000), 1},
		{"chunks that have arrived", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1},
		{"some is missing", head + strings.Repeat("x", 20000), 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			forEachMode(t, func(t *testing.T, mode limiter.Mode) {
				s := serve(t, answer(test.answer, true))
				c := newClient(t, exchange.Options{Mode: mode, Timeout: 10 * time.Second})
				inMode(t, mode, func() {
					for range 2 {
						resp, err := c.Do(request(t, http.MethodGet, s.url, nil), nil)
						if err != nil {
							t.Error(err)
							return
						}
						time.Sleep(50 * time.Millisecond) // let it arrive
						_ = resp.Body.Close()
						if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
							t.Errorf("read after close: %v", err)
						}
					}
				})
				if n := s.conns.Load(); n != test.conns {
					t.Errorf("%d connections, want %d", n, test.conns)
				}
			})
		})
	}
}

// Another goroutine may close the body while one reads it, as http.Client's users do.
func TestCloseWhileReading(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := serve(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", true))
		c := newClient(t, exchange.Options{Mode: mode})
		inMode(t, mode, func() {
			resp, err := c.Do(request(t, http.MethodGet, s.url, nil), nil)
			if err != nil {
				t.Error(err)
				return
			}
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				time.Sleep(30 * time.Millisecond)
				_ = resp.Body.Close()
			}()
			if body, err := io.ReadAll(resp.Body); err == nil || string(body) != "hello" {
				t.Errorf("body %q, error %v; want what came, and an error", body, err)
			}
			<-closed
		})
	})
}

func TestIdleBounds(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := serve(t, answer(hello, true))
		for _, test := range []struct {
			name  string
			o     exchange.Options
			conns int64 // for two rounds of three requests at once
		}{
			{"no bound", exchange.Options{}, 3},
			{"per host", exchange.Options{MaxIdlePerHost: 2}, 4},
			{"in all", exchange.Options{MaxIdle: 1}, 5},
			{"timeout", exchange.Options{IdleTimeout: time.Nanosecond}, 6},
		} {
			test.o.Mode = mode
			c := newClient(t, test.o)
			before := s.conns.Load()
			for range 2 {
				var open []*http.Response
				inMode(t, mode, func() {
					for range 3 {
						resp, err := c.Do(request(t, http.MethodGet, s.url, nil), nil)
						if err != nil {
							t.Error(err)
							return
						}
						open = append(open, resp)
					}
					for _, resp := range open {
						_, _ = io.ReadAll(resp.Body)
					}
				})
			}
			if n := s.conns.Load() - before; n != test.conns {
				t.Errorf("%s: %d connections, want %d", test.name, n, test.conns)
			}
		}
	})
}

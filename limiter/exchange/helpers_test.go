package exchange_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pace/limiter"
	"pace/limiter/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// forEachMode runs f as a subtest in each mode, and checks that f leaves no descriptor open.
func forEachMode(t *testing.T, f func(t *testing.T, mode limiter.Mode)) {
	t.Helper()
	for _, mode := range limiter.Modes {
		t.Run(mode.String(), func(t *testing.T) {
			noLeaks(t)
			f(t, mode)
		})
	}
}

// noLeaks fails the test if, after all its clean-ups, the process has more descriptors open than now.
func noLeaks(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return 0 // not Linux
		}
		return len(entries)
	}
	// The first listener opens the runtime's poller, which stays.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	before := count()
	t.Cleanup(func() {
		after := count()
		for range 200 {
			if after <= before {
				return
			}
			time.Sleep(10 * time.Millisecond) // servers close their side on goroutines of their own
			after = count()
		}
		t.Errorf("%d descriptors open, %d before", after, before)
	})
}

// inMode runs f as limiter.Each runs the jobs of a mode: in mode threads, on a locked thread.
func inMode(t testing.TB, mode limiter.Mode, f func()) {
	t.Helper()
	var done bool
	next := func(context.Context) (struct{}, error) {
		if done {
			return struct{}{}, io.EOF
		}
		done = true
		return struct{}{}, nil
	}
	err := limiter.Each(t.Context(), mode, 1, next, func(context.Context, struct{}) error {
		f()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// newClient returns a client that is closed with the test.
func newClient(t testing.TB, o exchange.Options) *exchange.Client {
	c := exchange.New(o)
	t.Cleanup(c.Close)
	return c
}

// result is one exchange, its body read to the end.
type result struct {
	resp  *http.Response
	body  string
	err   error
	trace exchange.Trace
	asked int // calls of BeforeWrite
	wrote int // calls of Wrote
}

// do does an exchange in the mode.
func do(t testing.TB, mode limiter.Mode, c *exchange.Client, req *http.Request) (r result) {
	t.Helper()
	r.trace.BeforeWrite = func() error {
		r.asked++
		return nil
	}
	r.trace.Wrote = func() {
		if r.wrote++; r.wrote != r.asked {
			t.Errorf("call %d of Wrote after %d of BeforeWrite", r.wrote, r.asked)
		}
	}
	inMode(t, mode, func() {
		if r.resp, r.err = c.Do(req, &r.trace); r.err != nil {
			return
		}
		var body []byte
		body, r.err = io.ReadAll(r.resp.Body)
		r.body = string(body)
		_ = r.resp.Body.Close()
	})
	return r
}

func request(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func get(t testing.TB, mode limiter.Mode, c *exchange.Client, url string) result {
	t.Helper()
	return do(t, mode, c, request(t, http.MethodGet, url, nil))
}

// want fails the test unless the exchange brought body.
func (r result) want(t testing.TB, body string) {
	t.Helper()
	if r.err != nil || r.body != body {
		t.Fatalf("body %q, error %v; want %q", r.body, r.err, body)
	}
}

// wantError fails the test unless the exchange failed in that way.
func (r result) wantError(t testing.TB, kind exchange.Kind) *exchange.Error {
	t.Helper()
	var e *exchange.Error
	if !errors.As(r.err, &e) {
		t.Fatalf("error %v (%T), body %q; want an exchange.Error", r.err, r.err, r.body)
	}
	if e.Kind != kind {
		t.Fatalf("error %v is of kind %d, want %d", e, e.Kind, kind)
	}
	return e
}

// server is a server written by hand: serve gets each connection, which is closed when it returns.
type server struct {
	addr  string
	url   string
	conns atomic.Int64 // accepted so far
}

func serve(t testing.TB, handle func(n int, nc net.Conn, br *bufio.Reader)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: l.Addr().String(), url: "http://" + l.Addr().String()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			n := int(s.conns.Add(1))
			mu.Lock()
			open[nc] = true
			mu.Unlock()
			wg.Go(func() {
				handle(n, nc, bufio.NewReader(nc))
				mu.Lock()
				delete(open, nc)
				mu.Unlock()
				_ = nc.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for nc := range open {
			_ = nc.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return s
}

// closedAddr returns an address where nobody listens.
func closedAddr(t *testing.T) netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return netip.MustParseAddrPort(l.Addr().String())
}

// answer returns a handler that gives the same answer to each request until one of them wants it to close.
func answer(text string, keep bool) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, nc net.Conn, br *bufio.Reader) {
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			if _, err := io.WriteString(nc, text); err != nil || !keep {
				return
			}
		}
	}
}

const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

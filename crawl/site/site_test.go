package site

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// get asks the site for a path without a network. Headers are pairs of name and value.
func get(s *Site, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// bubble is a network inside a synctest bubble: a server and clients that reach it through pipes.
type bubble struct {
	srv   *http.Server
	conns chan net.Conn
	once  sync.Once
	gone  chan struct{}
}

func newBubble(t *testing.T, srv *http.Server) *bubble {
	b := &bubble{srv: srv, conns: make(chan net.Conn), gone: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(b) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return b
}

func (b *bubble) Accept() (net.Conn, error) {
	select {
	case c := <-b.conns:
		return c, nil
	case <-b.gone:
		return nil, net.ErrClosed
	}
}

func (b *bubble) Close() error {
	b.once.Do(func() { close(b.gone) })
	return nil
}

func (b *bubble) Addr() net.Addr { return &net.UnixAddr{Name: "bubble", Net: "unix"} }

// client returns a client that keeps one connection.
func (b *bubble) client(t *testing.T) *http.Client {
	tr := &http.Transport{
		MaxConnsPerHost: 1,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			b.conns <- theirs
			return ours, nil
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// fetch returns the length of a whole body.
func fetch(ctx context.Context, c *http.Client, url string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.Copy(io.Discard, resp.Body)
}

func TestRateIsPerConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, New(Options{RatePerConn: 10_000}).Server())
		start := time.Now()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				client := b.client(t)
				for range 2 { // both on the client's one connection
					if n, err := fetch(t.Context(), client, "http://site/blob/100000"); n != 100_000 || err != nil {
						t.Errorf("got %d bytes, %v", n, err)
					}
				}
			})
		}
		wg.Wait()
		// A connection's rate may catch up by limiter's burst, 50 ms, where it paused between the two.
		if took := time.Since(start); took < 19900*time.Millisecond || took > 20*time.Second {
			t.Errorf("2 x 100,000 bytes at 10,000 a second took %v on each of two connections", took)
		}
	})
}

func TestSlowBodyIsAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, New(Options{RatePerConn: 100}).Server())
		start := time.Now()
		resp, err := b.client(t).Get("http://site/blob/1000")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.ReadFull(resp.Body, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 1100*time.Millisecond {
			t.Errorf("the first 100 bytes of 1,000 at 100 a second took %v", took)
		}
	})
}

func TestShutdownCutsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		b := newBubble(t, s.Server())
		client, result := b.client(t), make(chan error, 1)
		go func() {
			_, err := fetch(t.Context(), client, "http://site/wait/1h")
			result <- err
		}()
		synctest.Wait()
		if n := s.Stats().InFlight; n != 1 {
			t.Fatalf("%d requests in flight", n)
		}
		start := time.Now()
		if err := b.srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-result; err == nil {
			t.Error("the client of a cut wait got an answer")
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("Shutdown took %v", took)
		}
	})
}

func TestClientThatLeavesEndsItsWait(t *testing.T) {
	s := New(Options{})
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = s.Server()
	ts.Start()
	defer ts.Close()

	ctx, cancel := context.WithCancel(t.Context())
	arrived := make(chan struct{})
	s.o.OnRequest = func(*http.Request) { close(arrived) }
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := fetch(ctx, ts.Client(), ts.URL+"/wait/1h"); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); s.Stats().InFlight > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the wait goes on though its client has left")
		}
	}
	ts.CloseClientConnections()
	if _, accepted := s.Connections(); accepted != 1 {
		t.Errorf("%d connections", accepted)
	}
}

func TestMethods(t *testing.T) {
	s := New(Options{})
	for _, path := range []string{"/", "/p/1", "/wait/0s", "/blob/1", "/status/200", "/redirect/0", "/robots.txt"} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
}

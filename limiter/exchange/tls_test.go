package exchange_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/exchange"
)

// trust returns a configuration that trusts the server.
func trust(s *httptest.Server) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return &tls.Config{RootCAs: pool}
}

func TestTLS(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Proto+strings.Repeat("x", 100_000))
		}))
		s.EnableHTTP2 = true // it must not be chosen
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)

		c := newClient(t, exchange.Options{Mode: mode, Timeout: 10 * time.Second, TLS: trust(s)})
		for i := range 3 {
			r := get(t, mode, c, s.URL)
			r.want(t, "HTTP/1.1"+strings.Repeat("x", 100_000))
			if r.trace.Reused != (i > 0) || (r.trace.TLS > 0) == r.trace.Reused {
				t.Errorf("request %d: %+v", i, r.trace)
			}
		}

		r := get(t, mode, newClient(t, exchange.Options{Mode: mode}), s.URL)
		if e := r.wantError(t, exchange.TLS); exchange.Retryable(e) {
			t.Errorf("%v is to be retried", e)
		}
		// A certificate for another name.
		config := trust(s)
		config.ServerName = "other.test"
		get(t, mode, newClient(t, exchange.Options{Mode: mode, TLS: config}), s.URL).wantError(t, exchange.TLS)
		// A server without TLS.
		plain := serve(t, func(_ int, nc net.Conn, br *bufio.Reader) {
			_, _ = io.WriteString(nc, hello)
			_, _ = io.Copy(io.Discard, br)
		})
		get(t, mode, c, "https"+strings.TrimPrefix(plain.url, "http")).wantError(t, exchange.TLS)
	})
}

// Bytes that TLS brings unasked are seen as those of a plain connection are.
func TestTLSIdleConnection(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		spoken := make(chan struct{}, 1) // the connection has got all that it gets: what is written on it has arrived
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			nc, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			told := false
			defer func() {
				_ = nc.Close()
				if !told {
					spoken <- struct{}{}
				}
			}()
			_, _ = io.WriteString(nc, hello)
			time.Sleep(10 * time.Millisecond) // a record of its own, and maybe a segment
			if strings.HasSuffix(r.URL.Path, "unasked") {
				_, _ = io.WriteString(nc, strings.Replace(hello, "hello", "wrong", 1))
				spoken <- struct{}{}
				told = true
				_, _ = rw.ReadByte()
			}
		}))
		t.Cleanup(s.Close)
		for _, path := range []string{"/unasked", "/closed"} {
			c := newClient(t, exchange.Options{Mode: mode, Timeout: 10 * time.Second, TLS: trust(s)})
			for range 2 {
				r := get(t, mode, c, s.URL+path)
				r.want(t, "hello")
				if r.trace.Reused {
					t.Errorf("%s: the connection was used again", path)
				}
				<-spoken
			}
		}
	})
}

// serveTLS is serve over TLS.
func serveTLS(t *testing.T, certificates []tls.Certificate, handle func(net.Conn, *bufio.Reader)) *server {
	return serve(t, func(_ int, nc net.Conn, _ *bufio.Reader) {
		over := tls.Server(nc, &tls.Config{Certificates: certificates})
		handle(over, bufio.NewReader(over))
	})
}

package exchange_test

import (
	"bufio"
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

const maxHeader = 4 << 10

// answers are what a server may send, and what becomes of it. Two requests are made of each.
var answers = []struct {
	name   string
	method string // GET if empty
	answer string
	closes bool // the server closes after each answer
	body   string
	kind   exchange.Kind // of the error, if fails
	fails  bool
	conns  int64 // connections for two requests
}{
	{name: "length", answer: hello, body: "hello", conns: 1},
	{name: "chunked", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", body: "hello", conns: 1},
	{name: "trailer", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n5\r\nhello\r\n0\r\nT: v\r\n\r\n", body: "hello", conns: 1},
	{name: "empty", answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", conns: 1},
	{name: "HTTP/1.0 until close", answer: "HTTP/1.0 200 OK\r\n\r\nhello", closes: true, body: "hello", conns: 2},
	{name: "HTTP/1.0 keep-alive", answer: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", body: "hello", conns: 1},
	{name: "HTTP/1.1 until close", answer: "HTTP/1.1 200 OK\r\n\r\nhello", closes: true, body: "hello", conns: 2},
	{name: "connection close", answer: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", body: "hello", conns: 2},
	{name: "204", answer: "HTTP/1.1 204 No Content\r\n\r\n", conns: 1},
	{name: "304", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", conns: 1},
	{name: "HEAD", method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", conns: 1},
	{name: "HEAD with a body", method: "HEAD", answer: hello, conns: 2},
	{name: "interim", answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + hello, body: "hello", conns: 1},
	{name: "bare line feeds", answer: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", body: "hello", conns: 1},
	{name: "more than its length", answer: hello + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", body: "hello", conns: 2},
	{name: "header as large as may be", answer: padded(maxHeader), body: "hello", conns: 1},

	{name: "header one byte larger", answer: padded(maxHeader + 1), fails: true, kind: exchange.HeaderTooLarge, conns: 2},
	{name: "header flood", answer: "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", maxHeader), fails: true, kind: exchange.HeaderTooLarge, conns: 2},
	{name: "endless status line", answer: "HTTP/1.1 200 " + strings.Repeat("O", 2*maxHeader), fails: true, kind: exchange.HeaderTooLarge, conns: 2},
	{name: "interim flood", answer: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 6) + hello, fails: true, kind: exchange.Malformed, conns: 2},
	{name: "upgrade", answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", fails: true, kind: exchange.Malformed, conns: 2},
	{name: "short body", answer: "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", closes: true, body: "hello", fails: true, kind: exchange.Connection, conns: 2},
	{name: "short chunk", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", closes: true, body: "hello", fails: true, kind: exchange.Connection, conns: 2},
	{name: "no last chunk", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", closes: true, body: "hello", fails: true, kind: exchange.Connection, conns: 2},
	{name: "bad chunk", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n", fails: true, kind: exchange.Malformed, conns: 2},
	{name: "two lengths", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", fails: true, kind: exchange.Malformed, conns: 2},
	{name: "negative length", answer: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello", fails: true, kind: exchange.Malformed, conns: 2},
	{name: "not HTTP", answer: "SSH-2.0-OpenSSH_9.2\r\n\r\n", fails: true, kind: exchange.Malformed, conns: 2},
	{name: "HTTP/0.9", answer: "<html>hello</html>\r\n", fails: true, kind: exchange.Malformed, conns: 2},
	{name: "status +12", answer: "HTTP/1.1 +12 OK\r\nContent-Length: 0\r\n\r\n", fails: true, kind: exchange.Malformed, conns: 2},
	{name: "header without a colon", answer: "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", fails: true, kind: exchange.Malformed, conns: 2},
	{name: "nothing", closes: true, fails: true, kind: exchange.Connection, conns: 2},
	{name: "half a header", answer: "HTTP/1.1 200 OK\r\nContent-", closes: true, fails: true, kind: exchange.Connection, conns: 2},
}

// padded returns an answer whose header has n bytes.
func padded(n int) string {
	const format = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nPad: %s\r\n\r\n"
	return fmt.Sprintf(format, strings.Repeat("x", n-len(format)+2)) + "hello"
}

func TestAnswers(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		for _, test := range answers {
			t.Run(test.name, func(t *testing.T) {
				s := serve(t, answer(test.answer, !test.closes))
				c := newClient(t, exchange.Options{Mode: mode, MaxHeader: maxHeader, Timeout: 10 * time.Second})
				for range 2 {
					method := test.method
					if method == "" {
						method = http.MethodGet
					}
					r := do(t, mode, c, request(t, method, s.url, nil))
					if r.body != test.body {
						t.Errorf("body %q, want %q", r.body, test.body)
					}
					if test.fails {
						r.wantError(t, test.kind)
					} else if r.err != nil {
						t.Error(r.err)
					}
					if r.asked != 1 || r.wrote != 1 {
						t.Errorf("BeforeWrite called %d times, Wrote %d times, want 1", r.asked, r.wrote)
					}
				}
				if n := s.conns.Load(); n != test.conns {
					t.Errorf("%d connections for two requests, want %d", n, test.conns)
				}
			})
		}
	})
}

func TestTrailer(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		s := serve(t, answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n0\r\nSum: 42\r\n\r\n", true))
		r := get(t, mode, newClient(t, exchange.Options{Mode: mode}), s.url)
		r.want(t, "")
		if got := r.resp.Trailer.Get("Sum"); got != "42" {
			t.Errorf("trailer %q, want 42", got)
		}
	})
}

// A header that comes a byte at a time ends with the time of the whole exchange, and so does such a body.
func TestDrip(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 1000),
		"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("x", 5000),
	} {
		forEachMode(t, func(t *testing.T, mode limiter.Mode) {
			s := serve(t, func(_ int, nc net.Conn, br *bufio.Reader) {
				if _, err := http.ReadRequest(br); err != nil {
					return
				}
				for i := range len(text) {
					if _, err := io.WriteString(nc, text[i:i+1]); err != nil {
						return
					}
					time.Sleep(5 * time.Millisecond)
				}
			})
			const timeout = 150 * time.Millisecond
			start := time.Now()
			r := get(t, mode, newClient(t, exchange.Options{Mode: mode, Timeout: timeout}), s.url)
			if e := r.wantError(t, exchange.Timeout); !e.Timeout() || !exchange.Retryable(e) {
				t.Errorf("%v is not a timeout to be tried again", e)
			}
			if took := time.Since(start); took < timeout {
				t.Errorf("gave up after %v, before its time", took)
			}
		})
	}
}

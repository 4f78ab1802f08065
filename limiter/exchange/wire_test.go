package exchange_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"pace/limiter"
	"pace/limiter/exchange"
)

// TestWire compares what a Trace is given with what the server read and sent, byte by byte, on a new connection and on a
// kept one.
func TestWire(t *testing.T) {
	for name, header := range map[string]string{
		"plain":             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
		"odd bytes":         "HTTP/1.1  200  odd\r\ncontent-LENGTH:5\nX-Folded: a\r\n b\r\n\r\n",
		"chunked":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"long":              "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: " + strings.Repeat("x", 50<<10) + "\r\n\r\n",
		"no body":           "HTTP/1.1 204 No Content\r\n\r\n",
		"interim answers":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
		"a body to the end": "HTTP/1.0 200 OK\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			body := map[string]string{"chunked": "5\r\nhello\r\n0\r\n\r\n", "no body": ""}
			interim := ""
			if name == "interim answers" {
				interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
			}
			sent, ok := body[name]
			if !ok {
				sent = "hello"
			}
			received := make(chan string, 2)
			s := serve(t, func(_ int, nc net.Conn, br *bufio.Reader) {
				for {
					var request strings.Builder
					for !strings.HasSuffix(request.String(), "\r\n\r\n") {
						line, err := br.ReadString('\n')
						if err != nil {
							return
						}
						request.WriteString(line)
					}
					received <- request.String()
					if _, err := nc.Write([]byte(interim + header + sent)); err != nil || strings.HasPrefix(header, "HTTP/1.0") {
						return
					}
				}
			})
			forEachMode(t, func(t *testing.T, m limiter.Mode) {
				c := newClient(t, exchange.Options{Mode: m})
				for range 2 {
					var wire exchange.Wire
					var r result
					inMode(t, m, func() {
						r.resp, r.err = c.Do(request(t, http.MethodGet, s.url+"/a?b", nil), &exchange.Trace{Wire: &wire})
						if r.err == nil {
							body, err := io.ReadAll(r.resp.Body)
							r.body, r.err = string(body), err
							_ = r.resp.Body.Close()
						}
					})
					r.want(t, map[bool]string{true: "", false: "hello"}[sent == ""])
					if got := string(wire.Response); got != header {
						t.Errorf("the header of the answer is %.200q", got)
					}
					if got, want := string(wire.Request), <-received; got != want {
						t.Errorf("the request is %q, the server read %q", got, want)
					}
				}
			})
		})
	}
}

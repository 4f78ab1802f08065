package copy

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// A file comes whole from each server that sends it, whatever else it sends.
func TestHTTPRawServers(t *testing.T) {
	data := random(300_000)
	chunked := func(b []byte) []byte {
		var w bytes.Buffer
		for len(b) > 0 {
			n := min(len(b), 7001)
			fmt.Fprintf(&w, "%x;name=value\r\n%s\r\n", n, b[:n])
			b = b[n:]
		}
		w.WriteString("0\r\nX-Trailer: yes\r\nETag: \"other\"\r\n\r\n")
		return w.Bytes()
	}
	for name, answer := range map[string]func(r raw) bool{
		"that closes each connection and says so": func(r raw) bool {
			r.good(data, `ETag: "v1"`, "Connection: close")
			return false
		},
		"that closes each connection without a word": func(r raw) bool { r.good(data); return false },
		"that closes as the next request comes": func(r raw) bool {
			return r.nth%3 < 2 && r.good(data)
		},
		"of HTTP 1.0, without lengths": func(r raw) bool {
			body := data
			if r.Method == http.MethodHead {
				body = nil
			}
			r.say(body, "HTTP/1.0 200 OK", "Server: old")
			return false
		},
		"of HTTP 1.0, with ranges": func(r raw) bool {
			var out bytes.Buffer
			r2 := r
			r2.conn = &recorder{r.conn, &out}
			r2.good(data)
			_, _ = r.conn.Write(bytes.Replace(out.Bytes(), []byte("HTTP/1.1"), []byte("HTTP/1.0"), 1))
			return false
		},
		"that sends interim answers": func(r raw) bool {
			r.say(nil, "HTTP/1.1 100 Continue")
			r.say(nil, "HTTP/1.1 103 Early Hints", "Link: </x>; rel=preload")
			return r.good(data)
		},
		"that sends a body after HEAD": func(r raw) bool {
			if r.Method == http.MethodHead {
				r.Method = http.MethodGet
			}
			return r.good(data)
		},
		"that sends a body after HEAD, late": func(r raw) bool {
			ok := r.good(data)
			if r.Method == http.MethodHead {
				time.Sleep(20 * time.Millisecond)
				_, _ = r.conn.Write([]byte("<html>this is nobody's answer</html>\r\n\r\n"))
			}
			return ok
		},
		"that has neither HEAD nor ranges": func(r raw) bool {
			if r.Method == http.MethodHead || r.end > 0 {
				return r.say(nil, "HTTP/1.1 400 What Is This", "Content-Length: 0")
			}
			return r.good(data)
		},
		"whose HEAD has no length": func(r raw) bool {
			if r.Method == http.MethodHead {
				return r.say(nil, "HTTP/1.1 200 OK", "Content-Length: 0", "Accept-Ranges: bytes", `ETag: "v1"`)
			}
			return r.good(data)
		},
		"that answers HEAD with garbage": func(r raw) bool {
			if r.Method == http.MethodHead {
				_, _ = r.conn.Write([]byte("\x00\x01\x02 what?\r\n\r\n"))
				return false
			}
			return r.good(data)
		},
		"that sends too much": func(r raw) bool {
			if r.end == 0 {
				return r.good(data)
			}
			body := append(bytes.Clone(data[r.off:r.end]), "and more than was asked for"...)
			r.part(body, fmt.Sprint(len(data)),
				`ETag: "v1"`, "Connection: close")
			return false
		},
		"that sends chunks with trailers": func(r raw) bool {
			if r.Method == http.MethodHead {
				return r.good(data)
			}
			if r.end == 0 {
				return r.say(chunked(data), "HTTP/1.1 200 OK", `ETag: "v1"`, "Transfer-Encoding: chunked", "Trailer: X-Trailer")
			}
			return r.part(chunked(data[r.off:r.end]), fmt.Sprint(len(data)),
				`ETag: "v1"`, "Transfer-Encoding: chunked", "Trailer: X-Trailer")
		},
		"that does not tell the size in ranges": func(r raw) bool {
			if r.end == 0 {
				return r.good(data)
			}
			return r.part(data[r.off:r.end], "*",
				`ETag: "v1"`, fmt.Sprintf("Content-Length: %d", r.end-r.off))
		},
		"that does not tell the size at all": func(r raw) bool {
			if r.Method == http.MethodHead {
				return r.say(nil, "HTTP/1.1 405 No", "Content-Length: 0")
			}
			if r.end == 0 {
				return r.good(data)
			}
			return r.part(data[r.off:r.end], "*",
				`ETag: "v1"`, fmt.Sprintf("Content-Length: %d", r.end-r.off))
		},
		"that lies about the size in ranges": func(r raw) bool {
			if r.end == 0 {
				return r.good(data)
			}
			r.end = min(r.end, int64(len(data)))
			return r.part(data[r.off:r.end], fmt.Sprint(len(data)+1),
				`ETag: "v1"`, fmt.Sprintf("Content-Length: %d", r.end-r.off))
		},
		"that answers 206 with all, always": func(r raw) bool {
			r.off, r.end = 0, int64(len(data))
			return r.good(data)
		},
		"that answers 206 with all, and no HEAD": func(r raw) bool {
			if r.Method == http.MethodHead {
				return r.say(nil, "HTTP/1.1 405 No", "Content-Length: 0")
			}
			r.off, r.end = 0, int64(len(data))
			return r.good(data)
		},
		"that has ranges only sometimes": func(r raw) bool {
			if r.n%3 == 2 {
				r.end = 0
			}
			return r.good(data)
		},
		"that cuts bodies at odd bytes": func(r raw) bool {
			if r.end-r.off < 20_000 {
				return r.good(data)
			}
			n := 17_001 + r.n*13%1000
			r.part(data[r.off:r.off+n], fmt.Sprint(len(data)),
				`ETag: "v1"`, fmt.Sprintf("Content-Length: %d", r.end-r.off))
			return false
		},
		"with an ETag without an end": func(r raw) bool { return r.good(data, `ETag: "v1`) },
		"with an empty ETag":          func(r raw) bool { return r.good(data, `ETag: ""`) },
		"with two ETags":              func(r raw) bool { return r.good(data, `ETag: "v1"`, `ETag: "v2"`) },
		"without a reason":            func(r raw) bool { return r.good(data, `ETag: "v1"`, "X: y") },
		"that asks to wait for negative time": func(r raw) bool {
			if r.n < 2 {
				return r.say(nil, "HTTP/1.1 503 No", "Retry-After: -17", "Content-Length: 0")
			}
			return r.good(data)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inModes(t, func(t *testing.T, m limiter.Mode) {
				s := newRaw(t, answer)
				_, to := dirs(t)
				downloaded(t, fetch(to, s.url+"/f", m))
				same(t, filepath.Join(to, "f"), data)
				holds(t, to, "f")
			})
		})
	}
}

// What no file can come of is said in words.
func TestHTTPRawRefused(t *testing.T) {
	data := random(1000)
	for name, c := range map[string]struct {
		answer func(r raw) bool
		want   string
	}{
		"with a header without end": {answer: func(r raw) bool {
			for i := 0; ; i++ {
				if _, err := fmt.Fprintf(r.conn, "X-%d: %s\r\n", i, strings.Repeat("y", 1000)); err != nil {
					return false
				}
			}
		}, want: "malformed HTTP"},
		"with a long header": {answer: func(r raw) bool {
			_, _ = r.conn.Write([]byte("HTTP/1.1 200 OK\r\n"))
			for i := 0; ; i++ {
				if _, err := fmt.Fprintf(r.conn, "X-%d: %s\r\n", i, strings.Repeat("y", 1000)); err != nil {
					return false
				}
			}
		}, want: "the header of the answer is too large"},
		"that speaks something else": {answer: func(r raw) bool {
			_, _ = r.conn.Write([]byte("220 ftp.example.org ready\r\n"))
			return false
		}, want: "malformed HTTP"},
		"with two lengths": {answer: func(r raw) bool {
			return r.say(data, "HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 300000")
		}, want: "Content-Length"},
		"with a redirect to nowhere": {answer: says("HTTP/1.1 302 Found", "Content-Length: 0"),
			want: "the server answers 302 Found"},
		"with a redirect to a bucket": {answer: func(r raw) bool {
			return r.say(nil, "HTTP/1.1 302 Found", "Location: s3://bucket/key", "Content-Length: 0")
		}, want: "redirects to what is not a URL of HTTP"},
		"with a redirect to a port of 0": {answer: func(r raw) bool {
			return r.say(nil, "HTTP/1.1 302 Found", "Location: http://127.0.0.1:0/", "Content-Length: 0")
		}, want: `"0" is not a port`},
		"with a redirect to itself": {answer: says("HTTP/1.1 302 Found", "Location: /f", "Content-Length: 0"),
			want: "more than 10 redirects"},
		"behind a proxy with a lock": {answer: says("HTTP/1.1 407 Who Are You", "Content-Length: 0"),
			want: "the proxy answers 407 Who Are You"},
		"that answers 304 unasked": {answer: says("HTTP/1.1 304 Not Modified", "Content-Length: 0"),
			want: "the server answers 304 Not Modified"},
		"that answers 204": {answer: says("HTTP/1.1 204 No Content"),
			want: "the server answers 204 No Content"},
		"that switches the protocol": {answer: func(r raw) bool {
			r.say(nil, "HTTP/1.1 101 Switching Protocols", "Upgrade: x", "Connection: upgrade")
			return false
		}, want: "switches to a protocol"},
		"that asks to wait for a year": {answer: func(r raw) bool {
			return r.say(nil, "HTTP/1.1 429 Too Many Requests", "Retry-After: 31536000", "Content-Length: 0")
		}, want: "429 Too Many Requests, and asks to wait for more than an hour: try again later"},
		"that asks to wait until the end": {answer: func(r raw) bool {
			return r.say(nil, "HTTP/1.1 503 No", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", "Content-Length: 0")
		}, want: "503 No, and asks to wait for more than an hour: try again later"},
		"with an ETag that no header can hold": {answer: func(r raw) bool { return r.good(data, "ETag: \"a\x01b\"") },
			want: "malformed MIME header line"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inModes(t, func(t *testing.T, m limiter.Mode) {
				s := newRaw(t, c.answer)
				_, to := dirs(t)
				report, err := quickly(fetch(to, s.url+"/f", m)).run(t.Context())
				if err == nil || !strings.HasPrefix(err.Error(), "cannot read "+s.url+"/f: ") || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("%v, %+v", err, report)
				}
				holds(t, to)
			})
		})
	}
}

// onlyAtOnce takes a while to answer, and does so for that many at a time. Others get other, or lose their connection.
func onlyAtOnce(most int64, while time.Duration, answer, other func(r raw) bool) func(r raw) bool {
	var open atomic.Int64
	return func(r raw) bool {
		if open.Add(1) > most {
			open.Add(-1)
			return other != nil && other(r)
		}
		time.Sleep(while)
		open.Add(-1) // before who is answered can come again
		return answer(r)
	}
}

package exchange

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"testing"
	"time"
)

// recorded is a socket whose peer has sent all it will ever send, in pieces.
type recorded struct {
	in      []byte
	piece   int
	probing bool
}

func (r *recorded) Read(p []byte) (int, error) {
	if len(r.in) == 0 {
		if r.probing {
			return 0, errNothing
		}
		return 0, io.EOF
	}
	n := copy(p, r.in[:min(len(r.in), r.piece)])
	r.in = r.in[n:]
	return n, nil
}

func (r *recorded) Write(p []byte) (int, error)      { return len(p), nil }
func (r *recorded) Close() error                     { return nil }
func (r *recorded) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (r *recorded) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (r *recorded) SetDeadline(time.Time) error      { return nil }
func (r *recorded) SetReadDeadline(time.Time) error  { return nil }
func (r *recorded) SetWriteDeadline(time.Time) error { return nil }
func (r *recorded) interrupt()                       {}
func (r *recorded) setProbing(on bool)               { r.probing = on }

// FuzzAnswer holds an exchange against net/http's own reading of the same bytes: the same status, header, body and
// trailer, or both fail. A connection is kept only if the answer's bytes were all there was.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n5\r\nhello\r\n0\r\nT: v\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nhello",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
	} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		const limit = 1 << 10
		req := &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "http", Host: "192.0.2.1", Path: "/"}}
		if piece%2 == 1 {
			req.Method = http.MethodHead
		}
		wantResp, wantBody, rest, wantErr := reference(in, req)

		sock := &recorded{in: in, piece: int(piece) + 1}
		c := New(Options{MaxHeader: limit})
		c.dial = func(context.Context, netip.AddrPort, time.Time, func(socket) bool) (socket, error) { return sock, nil }
		resp, err := c.Do(req, nil)
		var body []byte
		if err == nil {
			body, err = io.ReadAll(resp.Body)
		}
		if err != nil {
			if e, ok := err.(*Error); !ok {
				t.Fatalf("error %v of type %T", err, err)
			} else if wantErr == nil && e.Kind != HeaderTooLarge {
				t.Fatalf("error %v, net/http has none", err)
			}
			if c.idle.count != 0 {
				t.Fatal("a connection was kept after an error")
			}
			return
		}
		if wantErr != nil {
			t.Fatalf("no error, net/http has %v", wantErr)
		}
		if resp.StatusCode != wantResp.StatusCode || !reflect.DeepEqual(resp.Header, wantResp.Header) ||
			!bytes.Equal(body, wantBody) || !reflect.DeepEqual(resp.Trailer, wantResp.Trailer) {
			t.Fatalf("got %v %q, want %v %q", resp, body, wantResp, wantBody)
		}
		if c.idle.count != 0 && (resp.Close || len(sock.in) != len(rest)) {
			t.Fatalf("the connection was kept, and %d of the %d bytes that follow are read", len(rest)-len(sock.in), len(rest))
		}
		left := len(sock.in)
		if x := (&exchange{client: c, ctx: t.Context(), trace: &Trace{}}); x.reuse(key{"http", "192.0.2.1", 80, ""}) != nil && left > 0 {
			t.Fatalf("the connection is used again with %d bytes unread", left)
		}
	})
}

// reference reads the answer with net/http alone. It returns what is left of in.
func reference(in []byte, req *http.Request) (resp *http.Response, body, rest []byte, err error) {
	br := bufio.NewReaderSize(bytes.NewReader(in), readBuffer)
	for range maxInterim + 1 {
		if resp, err = http.ReadResponse(br, req); err != nil {
			return nil, nil, nil, err
		}
		if resp.StatusCode < 100 || resp.StatusCode == http.StatusSwitchingProtocols {
			return nil, nil, nil, errStatus
		}
		if resp.StatusCode >= 200 {
			body, err = io.ReadAll(resp.Body)
			rest, _ = io.ReadAll(br)
			return resp, body, rest, err
		}
	}
	return nil, nil, nil, errInterim
}

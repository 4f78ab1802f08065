package copy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// rawServer is a server of bytes: what it says need not be HTTP.
type rawServer struct {
	url      string
	listener net.Listener

	mu    sync.Mutex
	conns map[net.Conn]bool
	heads []string // of the requests, as they came

	requests atomic.Int64
	group    sync.WaitGroup
}

// raw is one request with the connection that it came on.
type raw struct {
	conn net.Conn
	*http.Request
	n        int64 // how many there were before on any connection
	nth      int   // on this one
	off, end int64 // what the range is; end is 0 for none
}

// newRaw starts a server that answers as it is told. A connection is kept as long as answer returns true.
func newRaw(t *testing.T, answer func(r raw) (keep bool)) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{url: "http://" + listener.Addr().String(), conns: map[net.Conn]bool{}}
	s.group.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = true
			s.mu.Unlock()
			s.group.Go(func() { s.serve(c, answer) })
		}
	})
	s.listener = listener
	t.Cleanup(s.stop)
	return s
}

// stop ends the server and waits until nothing of it is left.
func (s *rawServer) stop() {
	_ = s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.group.Wait()
}

func (s *rawServer) serve(c net.Conn, answer func(raw) bool) {
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}()
	in := bufio.NewReader(c)
	for nth := 0; ; nth++ {
		var head strings.Builder
		req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(oneHead(in), &head)))
		if err != nil {
			return
		}
		s.mu.Lock()
		s.heads = append(s.heads, head.String())
		s.mu.Unlock()
		r := raw{conn: c, Request: req, n: s.requests.Add(1) - 1, nth: nth}
		if off, end, ok := rangeOfRequest(req); ok {
			r.off, r.end = off, end
		}
		if !answer(r) {
			return
		}
	}
}

// oneHead reads up to the empty line behind a header.
func oneHead(in *bufio.Reader) io.Reader {
	var head strings.Builder
	lines := textproto.NewReader(in)
	for {
		line, err := lines.ReadLine()
		if err != nil {
			return strings.NewReader("")
		}
		head.WriteString(line + "\r\n")
		if line == "" {
			return strings.NewReader(head.String())
		}
	}
}

// say writes the lines of a header, and what stands behind it.
func (r raw) say(body []byte, lines ...string) bool {
	_, err := r.conn.Write(append([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n"), body...))
	return err == nil
}

// good answers as a server should: a range, or all of it.
func (r raw) good(data []byte, more ...string) bool {
	body, lines := data, []string{"HTTP/1.1 200 OK"}
	if r.end > 0 {
		r.end = min(r.end, int64(len(data)))
		body = data[r.off:r.end]
		lines = []string{"HTTP/1.1 206 Partial Content", fmt.Sprintf("Content-Range: bytes %d-%d/%d", r.off, r.end-1, len(data))}
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)), "Accept-Ranges: bytes")
	if len(more) == 0 {
		more = []string{`ETag: "v1"`}
	}
	if r.Method == http.MethodHead {
		body = nil
	}
	return r.say(body, append(lines, more...)...)
}

// part answers with a range, of a file of that size.
func (r raw) part(body []byte, size string, more ...string) bool {
	return r.say(body, append([]string{
		"HTTP/1.1 206 Partial Content", fmt.Sprintf("Content-Range: bytes %d-%d/%s", r.off, r.end-1, size),
	}, more...)...)
}

// says returns what answers with a header only.
func says(lines ...string) func(raw) bool { return func(r raw) bool { return r.say(nil, lines...) } }

// recorder keeps what is written.
type recorder struct {
	net.Conn
	w io.Writer
}

func (r *recorder) Write(p []byte) (int, error) { return r.w.Write(p) }

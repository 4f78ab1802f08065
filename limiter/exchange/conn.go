package exchange

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// socket is the connection to the peer below TLS. Its descriptor blocks the calling thread, or is on the poller.
type socket interface {
	net.Conn
	// interrupt makes what runs on the socket fail soon, and all that follows. It may be called at any time.
	interrupt()
	// setProbing makes Read return os.ErrDeadlineExceeded where it would wait.
	setProbing(on bool)
}

// conn is a connection to a server or proxy, with its buffers. One exchange uses it at a time.
type conn struct {
	key  key
	addr netip.AddrPort
	sock socket
	nc   net.Conn // sock, or TLS over it
	br   *bufio.Reader
	bw   *bufio.Writer

	asking *exchange // who must be told before the next byte is written; nil for nobody
	speed  *speed    // watches what is read; nil for nobody
	left   int64     // how many bytes may be read yet
	err    error     // what reading, writing or asking failed with
	tape   *Wire     // gets the bytes of the request and of the answer's header; nil for nobody

	since        time.Time // when it became idle
	prev, next   *conn     // in the pool's order of use
	older, newer *conn     // in the pool, of the same key
}

const (
	readBuffer  = 20 << 10 // a page of 16 KiB and its header in one recv
	writeBuffer = 4 << 10
	copyBuffer  = 64 << 10
)

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, writeBuffer) }}

	copyBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}
)

func newConn(k key, s socket, nc net.Conn, addr netip.AddrPort) *conn {
	c := &conn{key: k, addr: addr, sock: s, nc: nc}
	c.br = readers.Get().(*bufio.Reader)
	c.bw = writers.Get().(*bufio.Writer)
	c.br.Reset(c)
	c.bw.Reset(c)
	return c
}

// begin makes the connection ready for a request of x and an answer whose header has at most maxHeader bytes.
func (c *conn) begin(maxHeader int64, x *exchange) {
	c.err = nil
	c.speed = nil
	c.left = maxHeader
	c.asking = x
	c.tape = x.trace.Wire
}

// unlimited ends the limit on what is read.
func (c *conn) unlimited() { c.left = math.MaxInt64 }

// Read is what br reads from.
func (c *conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		c.err = errHeaderTooLarge
		return 0, c.err
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	var n int
	var err error
	if c.speed == nil {
		n, err = c.nc.Read(p)
	} else {
		n, err = c.speed.read(c, p)
	}
	c.left -= int64(n)
	if c.tape != nil {
		c.tape.Response = append(c.tape.Response, p[:n]...)
	}
	if err != nil {
		c.err = err
	}
	return n, err
}

// Write is what bw writes to.
func (c *conn) Write(p []byte) (int, error) {
	x := c.asking
	c.asking = nil
	if x != nil {
		if err := x.beforeWrite(); err != nil {
			c.err = err
			return 0, err
		}
	}
	n, err := c.nc.Write(p)
	if c.tape != nil {
		c.tape.Request = append(c.tape.Request, p[:n]...)
	}
	if x != nil && x.trace.Wrote != nil {
		x.trace.Wrote()
	}
	if err != nil {
		c.err = err
	}
	return n, err
}

// ReadFrom is what bw sends a large body with. Its own buffer is far smaller, and every filling of it a system call.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c}, r, buf[:])
}

// quiet reports whether an idle connection is open and has nothing to say. A byte that comes unasked would be taken
// for the next answer, so it condemns the connection as an end does. Reading through TLS lets it take its own records.
func (c *conn) quiet() bool {
	c.sock.setProbing(true)
	defer c.sock.setProbing(false)
	var b [1]byte
	n, err := c.nc.Read(b[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// close closes the connection without a word: a TLS goodbye could wait for a peer that does not read.
func (c *conn) close() {
	_ = c.sock.Close()
	c.br.Reset(nil)
	c.bw.Reset(nil)
	readers.Put(c.br)
	writers.Put(c.bw)
	c.br, c.bw = nil, nil
}

// goodbye closes an idle connection; its send buffer is empty, so that TLS's last alert does not wait.
func (c *conn) goodbye() {
	_ = c.nc.Close()
	c.close()
}

package copy

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// meter stands before a store and counts what goes by.
type meter struct {
	url      string
	up, down atomic.Int64 // bytes
	pause    time.Duration
}

// newMeter lets at most 64 KiB of a connection pass in each pause.
func newMeter(t *testing.T, store string, pause time.Duration) *meter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &meter{url: "http://" + l.Addr().String(), pause: pause}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { m.serve(c.(*net.TCPConn), strings.TrimPrefix(store, "http://")) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return m
}

// serve joins a connection with one to the store. What buffers hold of a client that is dead counts as moved, so they are
// small.
func (m *meter) serve(client *net.TCPConn, store string) {
	defer func() { _ = client.Close() }()
	c, err := net.Dial("tcp", store)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_ = client.SetReadBuffer(64 * kib)
	_ = client.SetWriteBuffer(64 * kib)
	var wg sync.WaitGroup
	wg.Go(func() {
		m.pass(c, client, &m.up)
		_ = c.Close()
	})
	m.pass(client, c, &m.down)
	_ = client.Close()
	wg.Wait()
}

func (m *meter) pass(to io.Writer, from io.Reader, count *atomic.Int64) {
	buf := make([]byte, 64*kib)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			count.Add(int64(n))
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
			time.Sleep(m.pause)
		}
		if err != nil {
			return
		}
	}
}

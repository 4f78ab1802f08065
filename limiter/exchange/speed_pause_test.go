package exchange

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// pipeSocket is an end of a pipe as a socket.
type pipeSocket struct{ net.Conn }

func (s pipeSocket) interrupt()      { _ = s.Close() }
func (s pipeSocket) setProbing(bool) {}

// A peer is not slow while nobody reads, and is held to its speed as soon as somebody does again.
func TestSpeedWhileNobodyReads(t *testing.T) {
	for name, c := range map[string]struct {
		sends time.Duration // after reading goes on
		want  error
	}{
		"it sends":       {900 * time.Millisecond, nil},
		"it still hangs": {time.Hour, errTooSlow},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer func() {
					_ = near.Close()
					time.Sleep(c.sends) // the peer's goroutine has to end in the bubble
				}()
				pause := time.Minute
				go func() {
					defer func() { _ = far.Close() }()
					_, _ = far.Write(make([]byte, 50)) // half of what a window must bring
					time.Sleep(pause + c.sends)
					_, _ = far.Write(make([]byte, 200))
				}()
				conn := &conn{nc: near, sock: pipeSocket{near}}
				s := &speed{least: 100, window: time.Second}
				if err := s.begin(conn, time.Now()); err != nil {
					t.Fatal(err)
				}
				buf := make([]byte, 200)
				if n, err := s.read(conn, buf); n != 50 || err != nil {
					t.Fatalf("%d bytes, %v", n, err)
				}
				time.Sleep(pause)
				start := time.Now()
				n, err := s.read(conn, buf)
				if !errors.Is(err, c.want) || err == nil && n != 200 {
					t.Errorf("%d bytes, %v, want %v", n, err, c.want)
				}
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

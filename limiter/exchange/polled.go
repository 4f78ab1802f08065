package exchange

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// polledSocket is a socket on the runtime's poller: its waits park the goroutine.
type polledSocket struct {
	*net.TCPConn
	raw     syscall.RawConn
	probing bool
}

// dialPolled returns a dialFunc that connects with d.
func dialPolled(d *net.Dialer) dialFunc {
	return func(
		ctx context.Context, addr netip.AddrPort, deadline time.Time, attach func(socket) bool,
	) (socket, error) {
		if !deadline.IsZero() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, deadline)
			defer cancel()
		}
		// DialTCP takes even a zero local address for one to bind to, and a port that is bound comes from one pool for all
		// peers: the kernel searches it for long when there are many connections, and it runs out.
		conn, err := d.DialContext(ctx, "tcp", addr.String())
		if err != nil {
			return nil, err
		}
		tcp := conn.(*net.TCPConn)
		s := &polledSocket{TCPConn: tcp}
		if s.raw, err = tcp.SyscallConn(); err == nil && !attach(s) {
			err = net.ErrClosed
		}
		if err != nil {
			_ = s.Close()
			return nil, err
		}
		return s, nil
	}
}

// interrupt closes: the net package lets a pending call leave before it frees the descriptor.
func (s *polledSocket) interrupt() { _ = s.Close() }

func (s *polledSocket) setProbing(on bool) { s.probing = on }

func (s *polledSocket) Read(p []byte) (int, error) {
	if !s.probing {
		return s.TCPConn.Read(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	return readNow(s.raw, p)
}

// errNothing is what a probing Read returns where it would wait. crypto/tls takes it for temporary, as it must.
var errNothing = os.ErrDeadlineExceeded

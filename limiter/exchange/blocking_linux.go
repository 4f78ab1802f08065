package exchange

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const haveBlocking = true

// blockingSocket is a socket whose descriptor blocks: connect, send and recv hold the calling thread in the kernel. The
// runtime's poller never hears of it.
//
// Nothing wakes a thread out of a blocking call when its descriptor is closed, and the number may soon be another
// file's. So interrupt shuts the socket down, which wakes everyone, and the last to leave closes it.
type blockingSocket struct {
	fd     int
	remote netip.AddrPort

	in, out timeout // of the reader and of the writer
	probing bool    // the reader's

	settled chan struct{} // closed when connect has returned

	mu     sync.Mutex
	users  int  // calls that use fd
	closed bool // nobody may begin to use fd; the last user closes it
}

// dialBlocking returns a dialFunc that connects in the calling thread.
func dialBlocking(keepAlive bool) dialFunc {
	return func(
		_ context.Context, addr netip.AddrPort, deadline time.Time, attach func(socket) bool,
	) (socket, error) {
		s, sa, err := newBlocking(addr, keepAlive)
		if err != nil {
			return nil, err
		}
		if !attach(s) {
			err = net.ErrClosed
		} else {
			err = s.connect(sa, deadline)
		}
		if err != nil {
			_ = s.Close()
			return nil, err
		}
		return s, nil
	}
}

// newBlocking returns a socket for addr that is not connected yet.
func newBlocking(addr netip.AddrPort, keepAlive bool) (*blockingSocket, unix.Sockaddr, error) {
	family, sa, err := sockaddr(addr)
	if err != nil {
		return nil, nil, err
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, nil, os.NewSyscallError("socket", err)
	}
	options := [][3]int{{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}}
	if keepAlive {
		seconds := int(keepAlivePeriod / time.Second)
		options = append(options, [3]int{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			[3]int{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds}, [3]int{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds})
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o[0], o[1], o[2]); err != nil {
			_ = unix.Close(fd)
			return nil, nil, os.NewSyscallError("setsockopt", err)
		}
	}
	s := &blockingSocket{fd: fd, remote: addr, settled: make(chan struct{})}
	s.in.option, s.out.option = unix.SO_RCVTIMEO, unix.SO_SNDTIMEO
	return s, sa, nil
}

func sockaddr(addr netip.AddrPort) (family int, sa unix.Sockaddr, err error) {
	if ip := addr.Addr().Unmap(); ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: ip.As4()}, nil
	}
	sa6 := &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	if zone := addr.Addr().Zone(); zone != "" {
		if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
			sa6.ZoneId = uint32(n)
		} else if ifi, err := net.InterfaceByName(zone); err == nil {
			sa6.ZoneId = uint32(ifi.Index)
		} else {
			return 0, nil, err
		}
	}
	return unix.AF_INET6, sa6, nil
}

// enter keeps fd from being closed until leave.
func (s *blockingSocket) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.users++
	return nil
}

func (s *blockingSocket) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.closed && s.users == 0 {
		_ = unix.Close(s.fd)
	}
}

// Close closes the socket, or has it closed by the last call that uses it, which it wakes.
func (s *blockingSocket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.closed = true
	if s.users > 0 {
		return unix.Shutdown(s.fd, unix.SHUT_RDWR)
	}
	return unix.Close(s.fd)
}

// interrupt shuts the socket down. That does nothing to a socket whose connect has not begun, so it repeats until it
// took effect or connect is left.
func (s *blockingSocket) interrupt() {
	if s.enter() != nil {
		return
	}
	defer s.leave()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for unix.Shutdown(s.fd, unix.SHUT_RDWR) != nil {
		select {
		case <-s.settled:
			return
		case <-again.C:
		}
	}
}

func (s *blockingSocket) setProbing(on bool) { s.probing = on }

func (s *blockingSocket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	if s.probing {
		return s.readNow(p)
	}
	for expired := false; ; {
		if err := s.in.arm(s.fd, expired); err != nil {
			return 0, err
		}
		n, err := unix.Read(s.fd, p)
		switch {
		case err == unix.EINTR:
			expired = false
		case err == unix.EAGAIN:
			expired = true
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// readNow reads what has arrived.
func (s *blockingSocket) readNow(p []byte) (int, error) {
	for {
		n, _, err := unix.Recvfrom(s.fd, p, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, errNothing
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (s *blockingSocket) Write(p []byte) (written int, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	for expired := false; written < len(p); {
		if err := s.out.arm(s.fd, expired); err != nil {
			return written, err
		}
		// The runtime ignores the SIGPIPE of descriptors other than 1 and 2, as it does for the net package.
		n, err := unix.Write(s.fd, p[written:])
		expired = err == unix.EAGAIN
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			return written, os.NewSyscallError("write", err)
		}
		written += max(n, 0)
	}
	return written, nil
}

func (s *blockingSocket) LocalAddr() net.Addr {
	if s.enter() != nil {
		return &net.TCPAddr{}
	}
	defer s.leave()
	return net.TCPAddrFromAddrPort(s.local())
}

func (s *blockingSocket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.remote) }

// local returns the socket's own address. It requires that fd is entered.
func (s *blockingSocket) local() netip.AddrPort {
	sa, err := unix.Getsockname(s.fd)
	if err != nil {
		return netip.AddrPort{}
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// SetDeadline holds from the next system call on: it wakes nobody. That is what interrupt is for.
func (s *blockingSocket) SetDeadline(t time.Time) error {
	s.in.deadline.set(t)
	s.out.deadline.set(t)
	return nil
}

// SetReadDeadline is SetDeadline for reading.
func (s *blockingSocket) SetReadDeadline(t time.Time) error {
	s.in.deadline.set(t)
	return nil
}

// SetWriteDeadline is SetDeadline for writing.
func (s *blockingSocket) SetWriteDeadline(t time.Time) error {
	s.out.deadline.set(t)
	return nil
}

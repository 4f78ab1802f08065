package exchange

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// connect connects the socket until the deadline.
func (s *blockingSocket) connect(sa unix.Sockaddr, deadline time.Time) error {
	defer close(s.settled)
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	err := s.await(sa, deadline)
	if err == unix.Errno(0) {
		err = nil
	}
	if errno, ok := err.(unix.Errno); ok {
		return os.NewSyscallError("connect", errno)
	}
	if err == nil && s.local() == s.remote {
		// On loopback, the kernel may pick as our port the very one that nobody listens on, and TCP then connects the
		// socket with itself.
		return os.NewSyscallError("connect", unix.ECONNREFUSED)
	}
	return err
}

// await makes the system calls of connect.
func (s *blockingSocket) await(sa unix.Sockaddr, deadline time.Time) error {
	_ = s.SetDeadline(deadline)
	if err := s.out.arm(s.fd, false); err != nil {
		return err
	}
	switch err := unix.Connect(s.fd, sa); err {
	case unix.EINTR, unix.EINPROGRESS, unix.EALREADY:
		// Interrupted by a signal, or SO_SNDTIMEO is over (socket(7)). Either way the kernel goes on to connect, and a
		// second connect(2) would not tell how it ends.
		return s.settle(deadline)
	default:
		return err
	}
}

// settle waits for the end of a connect(2) that was left early.
func (s *blockingSocket) settle(deadline time.Time) error {
	for {
		wait := -1
		if !deadline.IsZero() {
			left := time.Until(deadline)
			if left <= 0 {
				return os.ErrDeadlineExceeded
			}
			wait = int((left + time.Millisecond - 1) / time.Millisecond)
		}
		fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, wait)
		switch {
		case err == unix.EINTR || err == nil && n == 0:
			continue
		case err != nil:
			return err
		}
		errno, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil {
			return err
		}
		if errno == 0 && fds[0].Revents&unix.POLLHUP != 0 {
			return net.ErrClosed // interrupted
		}
		return unix.Errno(errno)
	}
}

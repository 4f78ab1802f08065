//go:build unix

package exchange_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// blackHole returns a URL that a connect waits for without an answer.
func blackHole(t *testing.T) string { return "http://" + blackHoleAddr(t).String() }

// blackHoleAddr returns the address of a listener whose queue is full, so that the kernel drops what else asks for it.
func blackHoleAddr(t *testing.T) netip.AddrPort {
	t.Helper()
	open := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		return fd
	}
	l := open()
	if err := unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(l, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(l)
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		fd := open()
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(fd, sa); err != nil && err != unix.EINPROGRESS {
			t.Fatal(err)
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		if n, err := unix.Poll(fds, int(100*time.Millisecond/time.Millisecond)); err == nil && n == 0 {
			return netip.MustParseAddrPort(fmt.Sprintf("127.0.0.1:%d", sa.(*unix.SockaddrInet4).Port))
		}
	}
	t.Skip("this system never fills a listener's queue")
	panic("unreachable")
}

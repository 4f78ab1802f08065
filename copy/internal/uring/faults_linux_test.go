package uring

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A kernel without the newer flags, and one that registers no buffers.
func TestOlderKernels(t *testing.T) {
	for name, k := range map[string]calls{
		"no flags": {setup: func(entries uint32, p *params) (int, error) {
			if p.flags != 0 {
				return -1, unix.EINVAL
			}
			return setup(entries, p)
		}, enter: enter, register: register},
		"no registered buffers": {setup: setup, enter: enter,
			register: func(fd int, opcode uint32, arg unsafe.Pointer, n uint32) error {
				if opcode == registerBuffers {
					return unix.ENOMEM
				}
				return register(fd, opcode, arg, n)
			}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRing(t, Config{Buffers: 4, BufferSize: 4096}, k)
			if fixed := name == "no flags"; r.Fixed() != fixed {
				t.Errorf("buffers registered: %v", r.Fixed())
			}
			copyThrough(t, r, 8)
		})
	}
}

// io_uring_enter fails, is interrupted, or takes only some of what it was given.
func TestEnterFaults(t *testing.T) {
	k := kernel
	calls := 0
	k.enter = func(fd int, submit, wait, flags uint32) (int, error) {
		calls++
		switch calls % 7 {
		case 2:
			return 0, unix.EINTR
		case 3:
			return 0, unix.EAGAIN
		case 4:
			return 0, unix.EBUSY
		case 5:
			return enter(fd, min(submit, 1), min(wait, 1-min(submit, 1)), flags)
		}
		return enter(fd, submit, wait, flags)
	}
	copyThrough(t, newRing(t, Config{Buffers: 4, BufferSize: 4096}, k), 8)
}

// A kernel that takes nothing for ever breaks the ring, and whoever waits is told.
func TestEnterRefusesForEver(t *testing.T) {
	t.Parallel() // it waits for seconds
	needRing(t)
	k := kernel
	var refuse atomic.Bool
	asked := 0
	k.enter = func(fd int, submit, wait, flags uint32) (int, error) {
		if refuse.Load() {
			asked++
			return 0, unix.EAGAIN
		}
		return enter(fd, submit, wait, flags)
	}
	r, err := open(Config{Buffers: 1, BufferSize: 4096}, k)
	if err != nil {
		t.Fatal(err)
	}
	refuse.Store(true)
	if _, err := r.ReadAt(t.Context(), r.wakeFd, r.Buffer(), 0); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("read: %v, want EAGAIN", err)
	}
	if err := r.Close(); !errors.Is(err, unix.EAGAIN) || asked != maxRefused+1 {
		t.Errorf("close: %v after %d refusals", err, asked)
	}
}

// Requests are shortened on their way in, and completions fail on their way out.
func TestShortAndFailed(t *testing.T) {
	k := kernel
	var q *queues
	n := 0
	k.enter = func(fd int, submit, wait, flags uint32) (int, error) {
		if q != nil {
			tail := atomic.LoadUint32(q.sqTail)
			for i := tail - submit; i != tail; i++ {
				if s := &q.sqes[i&q.sqMask]; s.userData < cancelTag && s.len > 1 {
					if n++; n%2 == 0 {
						s.len /= 2
					}
					if n%7 == 0 {
						s.fd = -1 // fails, and is made to look interrupted below
					}
				}
			}
		}
		submitted, err := enter(fd, submit, wait, flags)
		if q != nil {
			for i := atomic.LoadUint32(q.cqHead); i != atomic.LoadUint32(q.cqTail); i++ {
				if c := &q.cqes[i&q.cqMask]; c.res == -int32(unix.EBADF) {
					c.res = -int32([]unix.Errno{unix.EINTR, unix.EAGAIN, unix.ECANCELED}[n%3])
				}
			}
		}
		return submitted, err
	}
	k.setup = func(entries uint32, p *params) (int, error) {
		fd, err := setup(entries, p)
		if err == nil {
			q, err = mapQueues(fd, p) // the same rings, mapped a second time
		}
		return fd, err
	}
	t.Cleanup(func() { q.unmap() }) // after the ring's own, which ends its last call
	copyThrough(t, newRing(t, Config{Buffers: 4, BufferSize: 4096}, k), 8)
	if n < 200 {
		t.Errorf("only %d requests were seen", n)
	}
}

// A kernel that says no, at each point where it can, leaves nothing behind.
func TestUnavailable(t *testing.T) {
	needRing(t)
	fds, maps := entries(t, "fd"), mappings(t)
	for name, k := range map[string]calls{
		"io_uring_setup: operation not permitted": {
			setup: func(uint32, *params) (int, error) { return -1, unix.EPERM }, enter: enter, register: register},
		"io_uring_setup: function not implemented": {
			setup: func(uint32, *params) (int, error) { return -1, unix.ENOSYS }, enter: enter, register: register},
		"too old": {setup: func(n uint32, p *params) (int, error) {
			fd, err := setup(n, p)
			p.features = 0
			return fd, err
		}, enter: enter, register: register},
		"probe: invalid argument": {setup: setup, enter: enter,
			register: func(int, uint32, unsafe.Pointer, uint32) error { return unix.EINVAL }},
		"operation 4: unsupported": {setup: setup, enter: enter,
			register: func(int, uint32, unsafe.Pointer, uint32) error { return nil }},
		"io_uring_enter: operation not permitted": {setup: setup, register: register,
			enter: func(int, uint32, uint32, uint32) (int, error) { return 0, unix.EPERM }},
	} {
		r, err := open(Config{Buffers: 8, BufferSize: 1 << 20}, k)
		if err == nil {
			_ = r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
	if n := entries(t, "fd"); n != fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
	if n := mappings(t); n > maps {
		t.Errorf("%d MiB mapped by rings, %d before", n, maps)
	}
}

// A ring that breaks fails what is in flight and all that comes, and does not hang.
func TestBroken(t *testing.T) {
	k := kernel
	var broken atomic.Bool
	k.enter = func(fd int, submit, wait, flags uint32) (int, error) {
		if broken.Load() {
			return 0, unix.EFAULT
		}
		return enter(fd, submit, wait, flags)
	}
	needRing(t)
	r, err := open(Config{Buffers: 2, BufferSize: 4096}, k)
	if err != nil {
		t.Fatal(err)
	}
	rfd, _ := pipe(t)
	b := r.Buffer()
	broken.Store(true)
	for range 2 {
		if _, err := r.ReadAt(t.Context(), rfd, b, -1); !errors.Is(err, unix.EFAULT) {
			t.Errorf("got %v", err)
		}
	}
	if err := r.Close(); !errors.Is(err, unix.EFAULT) {
		t.Errorf("close: %v", err)
	}
}

// Where the limit has room for the rings but not for the buffers, these stay plain.
func TestMemlock(t *testing.T) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 64 << 10, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &old); err != nil {
			t.Error(err)
		}
	}()
	k := kernel
	k.setup = func(entries uint32, p *params) (int, error) {
		// Root is above the limit. This is the owner's thread, which loses its rights alone and ends with the ring.
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&head, &none[0]); err != nil {
			return -1, err
		}
		return setup(entries, p)
	}
	r := newRing(t, Config{Buffers: 4, BufferSize: 1 << 20}, k)
	if r.Fixed() {
		t.Error("buffers are registered against the limit")
	}
	copyThrough(t, r, 8)
}

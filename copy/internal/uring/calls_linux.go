package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// calls are the three system calls of io_uring(7), so that a test can put a fault before or after them.
type calls struct {
	setup    func(entries uint32, p *params) (fd int, err error)
	enter    func(fd int, submit, wait, flags uint32) (submitted int, err error)
	register func(fd int, opcode uint32, arg unsafe.Pointer, n uint32) error
}

var kernel = calls{setup: setup, enter: enter, register: register}

func setup(entries uint32, p *params) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(p)), 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func enter(fd int, submit, wait, flags uint32) (int, error) {
	n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER,
		uintptr(fd), uintptr(submit), uintptr(wait), uintptr(flags), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func register(fd int, opcode uint32, arg unsafe.Pointer, n uint32) error {
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER,
		uintptr(fd), uintptr(opcode), uintptr(arg), uintptr(n), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

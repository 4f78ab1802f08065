// Package uring reads and writes files through io_uring(7): many goroutines ask, one thread drives the kernel.
//
// A [Ring] belongs to an owner, a goroutine locked to its thread, which alone submits requests and takes completions.
// It lives until [Ring.Close] and so outlives all I/O: the kernel cancels what a thread has in flight when it exits.
// Everything that the kernel points at lies in anonymous mappings, which the garbage collector neither moves nor frees.
package uring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrClosed is returned by operations on a ring that was closed.
var ErrClosed = errors.New("io_uring: ring is closed")

var errForeign = errors.New("io_uring: the memory is not one of the ring's buffers")

// maxInFlight bounds the kernel's side, which takes at most 32768 requests. Operations above it wait.
const maxInFlight = 4096

// Config says what a ring has.
type Config struct {
	Buffers    int // how many buffers, which is also how many operations can be in flight, up to 4096
	BufferSize int // bytes of one buffer
}

// Ring reads and writes files from its own buffers. All methods may be called at any time from any goroutine.
type Ring struct {
	mem    []byte // the buffers, and behind them the eight bytes that the wake-up read fills
	size   int    // bytes from one buffer to the next, in whole pages
	fixed  bool   // the kernel has the buffers registered
	wakeFd int    // an eventfd; closed under mu
	done   chan struct{}

	mu      sync.Mutex
	free    [][]byte
	queue   []*request // what the owner has not seen yet
	asleep  bool       // the owner waits in io_uring_enter, and has not been woken yet
	closing bool
	err     error // why no more operations are taken
}

// request is one operation. Its fields above done are fixed; those below belong to the owner until done is closed.
type request struct {
	write  bool
	fd     int32
	addr   uint64
	len    uint32
	off    uint64
	cancel *request // if not nil, the request is to cancel that one, and all else is unused
	done   chan struct{}

	slot int // its place in the owner's table while it is in flight; -1 otherwise
	over bool
	n    int
	err  error
}

// New returns a ring, or an error if the kernel has no io_uring, forbids it, or lacks an operation that is needed.
func New(c Config) (*Ring, error) { return open(c, kernel) }

func open(c Config, k calls) (*Ring, error) {
	page := os.Getpagesize()
	size := (max(c.BufferSize, 1) + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, c.Buffers*size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("mmap of %d buffers of %d bytes: %w", c.Buffers, size, err)
	}
	// Not EFD_NONBLOCK: a read of such a file completes with EAGAIN instead of waiting.
	wakeFd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		_ = unix.Munmap(mem)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	r := &Ring{mem: mem, size: size, wakeFd: wakeFd, done: make(chan struct{})}
	for i := range c.Buffers {
		r.free = append(r.free, mem[i*size:][:c.BufferSize:c.BufferSize])
	}
	started := make(chan error)
	go own(r, min(c.Buffers, maxInFlight), k, started, nil)
	if err := <-started; err != nil {
		<-r.done
		return nil, err
	}
	return r, nil
}

// Fixed says whether the buffers are registered, so that the kernel need not look their pages up for each operation.
// RLIMIT_MEMLOCK may forbid it.
func (r *Ring) Fixed() bool { return r.fixed }

// Buffer hands out a buffer that nobody else holds, or nil if there is none. [Ring.Release] takes it back.
func (r *Ring) Buffer() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.free) == 0 {
		return nil
	}
	// The last one that came back: it is the likeliest to be in a cache.
	b := r.free[len(r.free)-1]
	r.free = r.free[:len(r.free)-1]
	return b
}

// Release takes back a buffer of [Ring.Buffer].
func (r *Ring) Release(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, b)
}

// ReadAt is pread(2): it may read less than p holds, and 0 is the end of the file. p is a part of one of the ring's
// buffers. When ctx is cancelled the operation is too; ReadAt returns when the kernel has let go of p.
func (r *Ring) ReadAt(ctx context.Context, fd int, p []byte, off int64) (int, error) {
	return r.do(ctx, false, fd, p, off)
}

// WriteAt is pwrite(2), under the same conditions as [Ring.ReadAt].
func (r *Ring) WriteAt(ctx context.Context, fd int, p []byte, off int64) (int, error) {
	return r.do(ctx, true, fd, p, off)
}

func (r *Ring) do(ctx context.Context, write bool, fd int, p []byte, off int64) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if len(p) == 0 {
		return 0, nil
	}
	addr := uintptr(unsafe.Pointer(unsafe.SliceData(p)))
	if base := uintptr(unsafe.Pointer(&r.mem[0])); addr < base || addr+uintptr(len(p)) > base+uintptr(len(r.mem)) {
		return 0, errForeign
	}
	q := &request{
		write: write, fd: int32(fd), addr: uint64(addr), off: uint64(off),
		// The kernel moves no more than this in one operation (read(2), NOTES).
		len:  uint32(min(len(p), 0x7ffff000)),
		done: make(chan struct{}), slot: -1,
	}
	if err := r.push(q); err != nil {
		return 0, err
	}
	select {
	case <-q.done:
	case <-ctx.Done():
		// If the ring has gone in the meantime, its end has completed q.
		_ = r.push(&request{cancel: q})
		<-q.done
		if errors.Is(q.err, unix.ECANCELED) {
			return 0, context.Cause(ctx)
		}
	}
	return q.n, q.err
}

// push hands a request to the owner, and wakes it only if it sleeps: each wake-up is a system call here and two there.
func (r *Ring) push(q *request) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	if r.closing && q.cancel == nil {
		return ErrClosed
	}
	r.queue = append(r.queue, q)
	r.wake()
	return nil
}

// wake requires that mu is held, which also keeps the eventfd open meanwhile.
func (r *Ring) wake() {
	if !r.asleep {
		return
	}
	r.asleep = false
	one := [8]byte{1} // any number but 0 will do, so byte order does not matter
	// It can fail only by a signal before anything is written, or if the counter is full, which wakes too.
	for {
		if _, err := unix.Write(r.wakeFd, one[:]); err != unix.EINTR {
			return
		}
	}
}

// Close cancels what is in flight, waits until the kernel has let go of the buffers, and gives everything back. Nobody
// may touch a buffer any more.
func (r *Ring) Close() error {
	r.mu.Lock()
	r.closing = true
	r.wake()
	r.mu.Unlock()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(r.err, ErrClosed) {
		return nil
	}
	return r.err
}

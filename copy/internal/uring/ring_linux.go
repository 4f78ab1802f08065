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
	"sync/atomic"
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
	Buffers    int // how many buffers
	Spare      int // how many more, lent when those are: the kernel keeps no pages for them before they are used
	Depth      int // how many operations can be in flight, up to 4096; not fewer than buffers
	BufferSize int // bytes of one buffer
}

// Ring reads and writes files from its own buffers. All methods may be called at any time from any goroutine.
type Ring struct {
	mem    []byte // the buffers, and behind them the eight bytes that the wake-up read fills
	size   int    // bytes from one buffer to the next, in whole pages
	fixed  int    // bytes of mem that the kernel has registered
	wakeFd int    // an eventfd; closed under mu
	done   chan struct{}

	mu      sync.Mutex
	free    [][]byte
	queue   []*request // what the owner has not seen yet
	asleep  bool       // the owner waits in io_uring_enter, and has not been woken yet
	closing bool
	err     error // why no more operations are taken
}

// group are operations that one caller waits for.
type group struct {
	left atomic.Int64
	done chan struct{} // closed when none is left
}

// request is one operation. Its fields above slot are fixed; those below belong to the owner until its group is done.
type request struct {
	kind     Kind
	from, to int32 // descriptors
	addr     uint64
	len      uint32
	off      uint64
	cancel   *request // if not nil, the request is to cancel that one, and all else is unused
	group    *group

	slot     int  // its place in the owner's table while it is in flight; -1 otherwise
	pending  int  // completions that are still to come
	unlinked bool // its write never came to be
	over     bool

	read    int
	written int
	err     error
}

// New returns a ring, or an error if the kernel has no io_uring, forbids it, or lacks an operation that is needed.
func New(c Config) (*Ring, error) { return open(c, kernel) }

func open(c Config, k calls) (*Ring, error) {
	page := os.Getpagesize()
	size := (max(c.BufferSize, 1) + page - 1) / page * page
	all := c.Buffers + c.Spare
	mem, err := unix.Mmap(-1, 0, all*size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("mmap of %d buffers of %d bytes: %w", all, size, err)
	}
	// Not EFD_NONBLOCK: a read of such a file completes with EAGAIN instead of waiting.
	wakeFd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		_ = unix.Munmap(mem)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	r := &Ring{mem: mem, size: size, fixed: c.Buffers * size, wakeFd: wakeFd, done: make(chan struct{})}
	for i := range all {
		i = all - 1 - i // the last ones are lent first: not the spare ones
		r.free = append(r.free, mem[i*size:][:c.BufferSize:c.BufferSize])
	}
	started := make(chan error)
	go own(r, min(max(all, c.Depth), maxInFlight), k, started, nil)
	if err := <-started; err != nil {
		<-r.done
		return nil, err
	}
	return r, nil
}

// Fixed says whether the buffers are registered, but for the spare ones, so that the kernel need not look their pages up
// for each operation. RLIMIT_MEMLOCK may forbid it.
func (r *Ring) Fixed() bool { return r.fixed > 0 }

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
	ops := [1]Op{{Kind: Read, From: fd, P: p, Off: off}}
	r.Do(ctx, ops[:])
	return ops[0].Read, ops[0].Err
}

// WriteAt is pwrite(2), under the same conditions as [Ring.ReadAt].
func (r *Ring) WriteAt(ctx context.Context, fd int, p []byte, off int64) (int, error) {
	ops := [1]Op{{Kind: Write, To: fd, P: p, Off: off}}
	r.Do(ctx, ops[:])
	return ops[0].Written, ops[0].Err
}

// Kind is what an operation does.
type Kind uint8

const (
	Read  Kind = iota // from From into P
	Write             // P to To
	Copy              // a Read and, if that has filled P, a Write
)

// Op is one operation of [Ring.Do].
type Op struct {
	Kind     Kind
	From, To int // descriptors
	P        []byte
	Off      int64 // in both files

	Read, Written int // bytes
	Err           error
}

// Do does all ops, in no order, and returns when the last is done: many cost one wake-up of the ring and one of the
// caller. A Copy costs no more than one of its halves, because the kernel goes from the one to the other.
func (r *Ring) Do(ctx context.Context, ops []Op) {
	all := make([]*request, len(ops))
	g := &group{done: make(chan struct{})}
	var asked []*request
	for i := range ops {
		if all[i], ops[i].Err = r.request(ctx, &ops[i]); all[i] != nil {
			all[i].group = g
			asked = append(asked, all[i])
		}
	}
	if len(asked) == 0 {
		return
	}
	g.left.Store(int64(len(asked)))
	if err := r.push(asked...); err != nil {
		for i := range ops {
			if all[i] != nil {
				ops[i].Err = err
			}
		}
		return
	}
	select {
	case <-g.done:
	case <-ctx.Done():
		for _, q := range asked {
			// If the ring has gone in the meantime, its end has completed q.
			_ = r.push(&request{cancel: q})
		}
		<-g.done
	}
	for i, q := range all {
		if q == nil {
			continue
		}
		ops[i].Read, ops[i].Written, ops[i].Err = q.read, q.written, q.err
		// A request that had been given to a thread of the kernel ends as one that a signal interrupted.
		if ctx.Err() != nil && (errors.Is(q.err, unix.ECANCELED) || errors.Is(q.err, unix.EINTR)) {
			ops[i].Err = context.Cause(ctx)
		}
	}
}

// request returns what to ask the kernel for op, or nil if there is nothing to ask.
func (r *Ring) request(ctx context.Context, op *Op) (*request, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if len(op.P) == 0 {
		return nil, nil
	}
	addr := uintptr(unsafe.Pointer(unsafe.SliceData(op.P)))
	if base := uintptr(unsafe.Pointer(&r.mem[0])); addr < base || addr+uintptr(len(op.P)) > base+uintptr(len(r.mem)) {
		return nil, errForeign
	}
	return &request{
		kind: op.Kind, from: int32(op.From), to: int32(op.To), addr: uint64(addr), off: uint64(op.Off),
		// The kernel moves no more than this in one operation (read(2), NOTES).
		len:  uint32(min(len(op.P), 0x7ffff000)),
		slot: -1,
	}, nil
}

// push hands requests to the owner, and wakes it only if it sleeps: each wake-up is a system call here and two there.
func (r *Ring) push(all ...*request) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	if r.closing && all[0].cancel == nil {
		return ErrClosed
	}
	r.queue = append(r.queue, all...)
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

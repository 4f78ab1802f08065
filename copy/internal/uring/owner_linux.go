package uring

import (
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// User data of requests that nobody waits for. All others are a slot with its generation above it, and perhaps readBit.
const (
	wakeTag   = ^uint64(0)
	cancelTag = wakeTag - 1
	readBit   = 1 << 31 // the read of a request that writes too
)

// owner drives the kernel for a ring, on its one thread.
type owner struct {
	*Ring
	*queues
	calls
	fd int // -1 until there is one

	slots    []*request // what is in flight
	gens     []uint32   // how often each slot was used, so that a late cancel cannot hit its next user
	vacant   []int
	backlog  []*request // seen, but not in flight yet
	armed    bool       // the wake-up read is in flight
	ending   bool       // closing was seen, and all that was in flight is being cancelled
	disarmed bool       // so is the wake-up read
	refused  int        // how often in a row the kernel took nothing and completed nothing
}

// maxRefused bounds how often the kernel is asked in vain, a millisecond apart and more: no lack of memory that passes
// lasts so long.
const maxRefused = 5_000

// own is the owner's life. It ends its thread with it, and so the kernel's workers for that thread. locked, if not nil,
// is closed when it has its thread.
func own(r *Ring, depth int, k calls, started chan<- error, locked chan struct{}) {
	runtime.LockOSThread()
	if locked != nil {
		close(locked)
	} else if unix.Gettid() == unix.Getpid() {
		// The main thread never ends. Another goroutine gets another thread as long as this one is kept.
		locked = make(chan struct{})
		go own(r, depth, k, started, locked)
		<-locked
		runtime.UnlockOSThread()
		return
	}
	defer close(r.done)
	o := &owner{Ring: r, calls: k, fd: -1, slots: make([]*request, depth), gens: make([]uint32, depth)}
	for i := range depth {
		o.vacant = append(o.vacant, i)
	}
	if err := o.begin(); err != nil {
		o.end(err)
		started <- err
		return
	}
	started <- nil
	o.end(o.run())
}

// begin sets the ring up and submits the wake-up read, which shows that io_uring_enter is allowed too.
func (o *owner) begin() error {
	if err := o.setUp(); err != nil {
		return err
	}
	o.arm()
	for o.publish() > 0 {
		if err := o.submit(0); err != nil {
			o.armed = false // it was not taken
			return err
		}
	}
	return nil
}

// setUp makes the ring. A slot can have a read, a write and their cancellations in flight, and so can the wake-up read:
// with as many entries, neither ring can be too small.
func (o *owner) setUp() error {
	entries := uint32(1) << bits.Len(uint(4*len(o.slots)+1))
	p := params{flags: setupSingleIssuer | setupDeferTaskrun | setupSubmitAll}
	fd, err := o.setup(entries, &p)
	if errors.Is(err, unix.EINVAL) {
		p = params{}
		fd, err = o.setup(entries, &p)
	}
	if err != nil {
		return fmt.Errorf("io_uring_setup: %w", err)
	}
	o.fd = fd
	if p.features&featSingleMmap == 0 || p.features&featNodrop == 0 {
		return fmt.Errorf("io_uring_setup: this kernel's io_uring is too old: %w", errors.ErrUnsupported)
	}
	if err := o.probe(); err != nil {
		return err
	}
	if o.queues, err = mapQueues(fd, &p); err != nil {
		return fmt.Errorf("mmap of the rings: %w", err)
	}
	iov := unix.Iovec{Base: &o.mem[0]}
	iov.SetLen(o.fixed)
	// One registered range holds all buffers that are not spare. Refusal costs only time.
	if o.fixed == 0 || o.register(fd, registerBuffers, unsafe.Pointer(&iov), 1) != nil {
		o.fixed = 0
	}
	return nil
}

// probe asks whether the kernel has the operations that are used here (Linux 5.6).
func (o *owner) probe() error {
	var p probe
	if err := o.register(o.fd, registerProbe, unsafe.Pointer(&p), uint32(len(p.ops))); err != nil {
		return fmt.Errorf("io_uring_register probe: %w", err)
	}
	for _, op := range []int{opReadFixed, opWriteFixed, opAsyncCancel, opRead, opWrite} {
		if p.ops[op].flags&opSupported == 0 {
			return fmt.Errorf("io_uring operation %d: %w", op, errors.ErrUnsupported)
		}
	}
	return nil
}

// run drives the ring until it is closed.
func (o *owner) run() error {
	for {
		o.collect()
		o.fill()
		wait := uint32(0)
		if o.publish() == 0 {
			if o.ending && !o.armed && len(o.vacant) == len(o.slots) {
				return nil
			}
			// Only with nothing to submit: a read from the page cache is done before io_uring_enter returns, and
			// whoever asks meanwhile need not pay for a wake-up.
			if !o.sleep() {
				continue
			}
			wait = 1
		}
		if err := o.submit(wait); err != nil {
			return err
		}
		o.reap(o.complete)
	}
}

// collect takes over what was pushed.
func (o *owner) collect() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asleep = false
	o.backlog = append(o.backlog, o.queue...)
	clear(o.queue)
	o.queue = o.queue[:0]
	if o.closing && !o.ending {
		o.ending = true
		o.cancelAll()
	}
}

// cancelAll asks for the end of everything. Nothing can be pushed behind it but cancellations.
func (o *owner) cancelAll() {
	for _, q := range o.slots {
		if q != nil {
			o.backlog = append(o.backlog, &request{cancel: q})
		}
	}
	keep := o.backlog[:0]
	for _, q := range o.backlog {
		if q.cancel == nil {
			q.finish(ErrClosed)
		} else {
			keep = append(keep, q)
		}
	}
	o.backlog = keep
}

// fill turns the backlog into requests of the kernel, as far as there is room.
func (o *owner) fill() {
	switch {
	case o.room() == 0:
	case !o.armed && !o.ending:
		o.arm()
	case o.armed && o.ending && !o.disarmed:
		o.disarmed = true
		o.put(sqe{opcode: opAsyncCancel, fd: -1, addr: wakeTag, userData: cancelTag})
	}
	keep := o.backlog[:0]
	for _, q := range o.backlog {
		if !o.prepare(q) {
			keep = append(keep, q)
		}
	}
	clear(o.backlog[len(keep):])
	o.backlog = keep
}

func (o *owner) arm() {
	o.put(sqe{opcode: opRead, fd: int32(o.wakeFd), addr: o.wakeAddr(), len: 8, userData: wakeTag})
	o.armed = true
}

// wakeAddr is where the eventfd's value goes: the page behind the buffers.
func (o *owner) wakeAddr() uint64 {
	return uint64(uintptr(unsafe.Pointer(&o.mem[len(o.mem)-8])))
}

// prepare puts one request, or returns false if it must wait.
func (o *owner) prepare(q *request) bool {
	if q.cancel != nil {
		return o.prepareCancel(q.cancel)
	}
	if q.over {
		return true // cancelled before it got here
	}
	if len(o.vacant) == 0 || o.room() < 2 {
		return false
	}
	q.slot = o.vacant[len(o.vacant)-1]
	o.vacant = o.vacant[:len(o.vacant)-1]
	o.slots[q.slot] = q
	o.gens[q.slot]++
	q.pending = 1
	if q.kind == Copy {
		q.pending = 2
	}
	fixed := q.addr-uint64(uintptr(unsafe.Pointer(&o.mem[0]))) < uint64(o.fixed)
	if q.kind != Write {
		s := sqe{opcode: opRead, fd: q.from, off: q.off, addr: q.addr, len: q.len, userData: o.tag(q.slot)}
		if fixed {
			s.opcode = opReadFixed
		}
		if q.kind == Copy {
			s.flags, s.userData = sqeLink, s.userData|readBit
		}
		o.put(s)
	}
	if q.kind != Read {
		s := sqe{opcode: opWrite, fd: q.to, off: q.off, addr: q.addr, len: q.len, userData: o.tag(q.slot)}
		if fixed {
			s.opcode = opWriteFixed
		}
		o.put(s)
	}
	return true
}

func (o *owner) prepareCancel(q *request) bool {
	switch {
	case q.over:
		return true
	case q.slot < 0:
		q.finish(unix.ECANCELED)
		return true
	case o.room() < 2:
		return false
	}
	o.put(sqe{opcode: opAsyncCancel, fd: -1, addr: o.tag(q.slot), userData: cancelTag})
	if q.kind == Copy {
		o.put(sqe{opcode: opAsyncCancel, fd: -1, addr: o.tag(q.slot) | readBit, userData: cancelTag})
	}
	return true
}

func (o *owner) tag(slot int) uint64 { return uint64(o.gens[slot])<<32 | uint64(slot) }

// sleep marks the owner as asleep, unless there is something to collect.
func (o *owner) sleep() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) > 0 || o.closing && !o.ending {
		return false
	}
	o.asleep = true
	return true
}

// submit enters the kernel with what is published, and waits for as many completions as wait says.
func (o *owner) submit(wait uint32) error {
	// Getevents also runs the work that DEFER_TASKRUN left to this thread, and brings back completions that found no room.
	_, err := o.enter(o.fd, o.publish(), wait, enterGetevents)
	o.unlink()
	switch {
	case err == nil || errors.Is(err, unix.EINTR):
		o.refused = 0
		return nil
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EBUSY):
		// No memory for requests, or too many completions not taken: there is nothing to do but to take those and to
		// ask again, when one more is there or a millisecond later.
		if o.reap(o.complete) > 0 {
			o.refused = 0
		} else if o.refused++; o.refused > maxRefused {
			return fmt.Errorf("io_uring_enter: %w", err)
		} else {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(o.fd), Events: unix.POLLIN}}, 1)
		}
		return nil
	default:
		return fmt.Errorf("io_uring_enter: %w", err)
	}
}

// unlink sees to a write that the kernel has not taken while it has taken the read before it: it would be a request of
// its own, and write what is not read yet.
func (o *owner) unlink() {
	s := o.first()
	if s == nil || s.opcode != opWrite && s.opcode != opWriteFixed {
		return
	}
	if q := o.slots[int(uint32(s.userData))]; q.kind == Copy {
		*s = sqe{opcode: opNop, fd: -1, userData: s.userData}
		q.unlinked = true
	}
}

// complete delivers one completion.
func (o *owner) complete(userData uint64, res int32) {
	switch userData {
	case wakeTag:
		o.armed = false
		return
	case cancelTag:
		return
	}
	slot := int(uint32(userData) &^ readBit)
	q := o.slots[slot]
	q.came(userData&readBit != 0 || q.kind == Read, res)
	if q.pending > 0 {
		return
	}
	o.slots[slot] = nil
	o.vacant = append(o.vacant, slot)
	q.finish(q.err)
}

// came takes the outcome of the read or the write.
func (q *request) came(read bool, res int32) {
	q.pending--
	var err error
	if res < 0 {
		res, err = 0, unix.Errno(-res)
	}
	switch {
	case read:
		// After a short read, what comes of the write says nothing more.
		if q.read = int(res); q.kind == Read || q.read < int(q.len) {
			q.err = err
		}
	case q.unlinked, q.kind == Copy && q.read < int(q.len):
	default:
		q.written, q.err = int(res), err
	}
}

// finish lets the one who asked go on.
func (q *request) finish(err error) {
	q.slot, q.over, q.err = -1, true, err
	if q.group.left.Add(-1) == 0 {
		close(q.group.done)
	}
}

// end gives everything back, and fails what is left if the ring broke.
func (o *owner) end(err error) {
	inFlight := len(o.vacant) < len(o.slots)
	if o.fd >= 0 {
		if o.fixed > 0 {
			// The kernel takes a closed ring apart later. Until then the pages would count against the limit.
			_ = o.register(o.fd, unregisterBuffers, nil, 0)
		}
		_ = unix.Close(o.fd)
	}
	if o.queues != nil {
		o.unmap()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = unix.Close(o.wakeFd)
	o.err = err
	if err == nil {
		o.err = ErrClosed
	}
	// After a broken ring the kernel may still be writing to these pages: losing them is better than letting
	// someone else have them.
	if !inFlight && !o.armed || err == nil {
		_ = unix.Munmap(o.mem)
		o.free = nil
	}
	for _, q := range append(append(o.slots, o.backlog...), o.queue...) {
		if q != nil && q.cancel == nil && !q.over {
			q.finish(o.err)
		}
	}
}

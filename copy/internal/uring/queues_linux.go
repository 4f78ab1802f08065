package uring

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// queues are the two rings that are shared with the kernel. Each has one writer a side: this process owns the
// submission ring's tail and the completion ring's head. An entry is written before the index that publishes it is
// stored, and read after the index that published it is loaded; sync/atomic gives both the order that io_uring(7) asks
// for.
type queues struct {
	rings, entries []byte // the mappings

	sqHead, sqTail *uint32
	sqMask         uint32
	sqes           []sqe
	tail           uint32 // the submission ring's tail, entries filled but not yet published included

	cqHead, cqTail *uint32
	cqMask         uint32
	cqes           []cqe
}

// mapQueues maps the rings of fd as the kernel laid them out.
func mapQueues(fd int, p *params) (*queues, error) {
	size := max(p.sqOff.array+p.sqEntries*4, p.cqOff.cqes+p.cqEntries*uint32(unsafe.Sizeof(cqe{})))
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	rings, err := unix.Mmap(fd, offSqRing, int(size), prot, flags)
	if err != nil {
		return nil, err
	}
	entries, err := unix.Mmap(fd, offSqes, int(p.sqEntries)*int(unsafe.Sizeof(sqe{})), prot, flags)
	if err != nil {
		_ = unix.Munmap(rings)
		return nil, err
	}
	word := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&rings[off])) }
	q := &queues{
		rings: rings, entries: entries,
		sqHead: word(p.sqOff.head), sqTail: word(p.sqOff.tail),
		sqMask: *word(p.sqOff.ringMask),
		sqes:   unsafe.Slice((*sqe)(unsafe.Pointer(&entries[0])), p.sqEntries),
		cqHead: word(p.cqOff.head), cqTail: word(p.cqOff.tail), cqMask: *word(p.cqOff.ringMask),
		cqes: unsafe.Slice((*cqe)(unsafe.Pointer(&rings[p.cqOff.cqes])), p.cqEntries),
	}
	// The kernel takes requests through an array of indices. Ours stand in order for good.
	for i, slots := uint32(0), unsafe.Slice(word(p.sqOff.array), p.sqEntries); i < p.sqEntries; i++ {
		slots[i] = i
	}
	return q, nil
}

func (q *queues) unmap() {
	_ = unix.Munmap(q.entries)
	_ = unix.Munmap(q.rings)
}

// room returns how many more requests fit.
func (q *queues) room() int {
	return len(q.sqes) - int(q.tail-atomic.LoadUint32(q.sqHead))
}

// put fills the next request. It requires room.
func (q *queues) put(s sqe) {
	q.sqes[q.tail&q.sqMask] = s
	q.tail++
}

// publish shows the kernel all requests that were put, and returns how many it has not taken yet.
func (q *queues) publish() uint32 {
	atomic.StoreUint32(q.sqTail, q.tail)
	return q.tail - atomic.LoadUint32(q.sqHead)
}

// first returns the first request that is published and not taken, or nil.
func (q *queues) first() *sqe {
	head := atomic.LoadUint32(q.sqHead)
	if head == q.tail {
		return nil
	}
	return &q.sqes[head&q.sqMask]
}

// reap calls f with each completion there is, and returns how many there were.
func (q *queues) reap(f func(userData uint64, res int32)) int {
	head, tail := atomic.LoadUint32(q.cqHead), atomic.LoadUint32(q.cqTail)
	n := int(tail - head)
	for ; head != tail; head++ {
		c := q.cqes[head&q.cqMask]
		// Given back first: f may take long, and the kernel may need the room.
		atomic.StoreUint32(q.cqHead, head+1)
		f(c.userData, c.res)
	}
	return n
}

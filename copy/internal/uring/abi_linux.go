package uring

// What the kernel and this package agree on, as linux/io_uring.h defines it.

const (
	setupSubmitAll    = 1 << 7  // Linux 5.18
	setupSingleIssuer = 1 << 12 // Linux 6.0
	setupDeferTaskrun = 1 << 13 // Linux 6.1

	featSingleMmap = 1 << 0 // Linux 5.4: one mapping holds both rings
	featNodrop     = 1 << 1 // Linux 5.5: completions that find no room are kept, not lost

	enterGetevents = 1 << 0

	offSqRing = 0
	offSqes   = 0x10000000

	registerBuffers   = 0
	unregisterBuffers = 1
	registerProbe     = 8
	opSupported       = 1 << 0
)

// sqeLink lets the next request begin when this one is done, and not at all if this one fails or comes out short.
const sqeLink = 1 << 2

const (
	opNop         = 0
	opReadFixed   = 4
	opWriteFixed  = 5
	opAsyncCancel = 14
	opRead        = 22
	opWrite       = 23
)

// sqe is struct io_uring_sqe: one request.
type sqe struct {
	opcode   uint8
	flags    uint8
	ioprio   uint16
	fd       int32
	off      uint64
	addr     uint64
	len      uint32
	opFlags  uint32
	userData uint64
	bufIndex uint16
	_        [22]byte
}

// cqe is struct io_uring_cqe: the outcome of one request.
type cqe struct {
	userData uint64
	res      int32 // a count, or an errno below zero
	flags    uint32
}

// params is struct io_uring_params.
type params struct {
	sqEntries, cqEntries      uint32
	flags                     uint32
	sqThreadCPU, sqThreadIdle uint32
	features                  uint32
	wqFd                      uint32
	_                         [3]uint32
	sqOff                     sqOffsets
	cqOff                     cqOffsets
}

// sqOffsets is struct io_sqring_offsets: where the parts of the submission ring lie in its mapping.
type sqOffsets struct {
	head, tail, ringMask, ringEntries, flags, dropped, array, _ uint32
	_                                                           uint64
}

// cqOffsets is struct io_cqring_offsets.
type cqOffsets struct {
	head, tail, ringMask, ringEntries, overflow, cqes, flags, _ uint32
	_                                                           uint64
}

// probe is struct io_uring_probe with room for every opcode there can be.
type probe struct {
	lastOp uint8
	opsLen uint8
	_      [14]byte
	ops    [256]probeOp
}

type probeOp struct {
	op    uint8
	_     uint8
	flags uint16
	_     uint32
}

package copy

import (
	"context"
	"os"

	"pace/limiter"
)

// driver is how the bytes of a chunk move, the one thing about a chunk that a mode changes.
type driver interface {
	// buffer lends the memory for one chunk. There is one for each worker.
	buffer() []byte
	release([]byte)
	// pread and pwrite are the system calls of these names: they may move less than p holds, and may be interrupted.
	// p is a part of a buffer that was lent. Once ctx is cancelled they begin nothing.
	pread(ctx context.Context, f *os.File, p []byte, off int64) (int, error)
	pwrite(ctx context.Context, f *os.File, p []byte, off int64) (int, error)
	// moves does so for many files at once, and leaves each outcome in its transfer.
	moves(ctx context.Context, all []transfer)
	close() error
}

// transfer is one of many moves that are asked for together: p is filled from in, and if it is full it is written to out.
// Both may move less than p holds.
type transfer struct {
	in, out *os.File // without out, it is only read
	p       []byte
	off     int64 // in both files

	read, written int
	err           error // of the write if p was full, of the read otherwise
}

// maxCall is how much of a chunk one system call moves: nobody can stop a longer one within a second. (No system takes
// more than 2 GiB.)
const maxCall = 64 * mib

// What a Report calls the backends.
const (
	backendPread   = "pread"
	backendThreads = "pread-threads"
	backendPool    = "pread-pool"
	backendRing    = "io_uring"
)

// backendOf returns what drives a mode where nothing is in the way.
func backendOf(m limiter.Mode) string {
	switch m {
	case limiter.Sequential:
		return backendPread
	case limiter.Threads:
		return backendThreads
	default:
		return backendRing
	}
}

// openDriver returns what drives the mode here, with the name of the backend that it turned out to be.
func (r *run) openDriver() (driver, string) {
	backend := backendOf(r.Mode)
	if backend == backendRing {
		d, err := r.openRing(r.firstWorkers(), r.width-r.firstWorkers(), r.chunk)
		if err == nil {
			return d, backend
		}
		backend = backendPool
		r.Log.Warn("io_uring is not available: async uses a pool of threads over pread and pwrite", "reason", err)
	}
	return newPreadDriver(r.chunk, r.Direct), backend
}

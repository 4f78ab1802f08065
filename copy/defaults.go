package copy

import (
	"runtime"
	"slices"

	"pace/limiter"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// ringDepth keeps a ring busy while its completions travel to their goroutines and back. More does not help: one thread
// reads for the whole ring, and one of the kernel's writes to a file at a time.
const ringDepth = 8

// DefaultWorkers is how many chunks are in flight unless told otherwise.
func DefaultWorkers(m limiter.Mode) int {
	switch m {
	case limiter.Sequential:
		return 1
	case limiter.Threads:
		return min(max(2*runtime.NumCPU(), 4), 64)
	default:
		return ringDepth
	}
}

// DefaultChunkSize is the length of one operation in bytes unless told otherwise.
func DefaultChunkSize(m limiter.Mode) int64 {
	if m == limiter.Async {
		return mib // each chunk costs wake-ups
	}
	return 512 * kib
}

const (
	minRateChunk = 64 * kib // bytes that a rate may lower a chunk to
	minBuffer    = 64 * kib // bytes read at once from a source that says it is smaller: it may be a file of /proc
)

// chunkSize is the length of one operation of this run. A rate lowers it to what may pass in 250 ms, because a chunk is
// waited for whole: a larger one would move in jumps, and much of it would be lost when the run is stopped.
func (o *Options) chunkSize() int64 {
	size := o.ChunkSize
	if size == 0 {
		size = DefaultChunkSize(o.Mode)
	}
	if o.Rate != nil {
		size = min(size, int64(max(o.Rate.PerSecond()/4, minRateChunk)))
	}
	if o.Direct {
		size = (size + directAlign - 1) / directAlign * directAlign
	}
	return size
}

// workers is how many chunks may be in flight, at most.
func (o *Options) workers() int {
	switch {
	case o.Mode == limiter.Sequential:
		return 1
	case o.AutoWorkers && o.MaxWorkers > 0:
		return o.MaxWorkers
	case o.AutoWorkers:
		return DefaultMaxWorkers
	case o.Workers == 0 && (IsURL(o.Dest) || slices.ContainsFunc(o.Sources, IsURL)):
		return NetworkWorkers
	case o.Workers == 0:
		return DefaultWorkers(o.Mode)
	default:
		return o.Workers
	}
}

// Package copy copies files in chunks, many at a time, so that a destination has its final name only when it is whole.
// It shadows a builtin where it is imported: import it as filecopy.
package copy

import (
	"log/slog"

	"pace/limiter"
	"pace/limiter/progress"
)

// Options says what to copy and how. The zero value of each field is its default.
type Options struct {
	// Sources are the paths to copy from.
	Sources []string
	// Dest is the path to copy to: a file, or a folder that receives each source under its own name.
	Dest string
	// NoTargetDir takes Dest as the file itself even where it is a folder, as cp -T.
	NoTargetDir bool
	// TargetDir requires that Dest is a folder, as cp -t.
	TargetDir bool

	// Mode is how the I/O of chunks is driven.
	Mode limiter.Mode
	// Workers is how many chunks are in flight; 0 means the mode's default ([DefaultWorkers]). Sequential has one.
	Workers int
	// ChunkSize is the length of one operation in bytes; 0 means the mode's default.
	ChunkSize int64
	// Rate limits all workers together, in bytes a second; nil is unlimited.
	Rate *limiter.Rate

	// Reflink says whether the file system may share the data instead of copying it.
	Reflink Reflink
	// NoClobber skips a destination that exists, as cp -n.
	NoClobber bool

	// Progress receives what the run does; nil for none.
	Progress *progress.Counter
	// Verbose, if not nil, is told of each file that was copied, as cp -v. Calls do not overlap.
	Verbose func(src, dst string)
	// Log receives what the user may want to know: each failed item at level Error with the attributes "item" and
	// "error", a fallback at level Warn. nil for none.
	Log *slog.Logger
}

// Report is what a run of [Run] did.
type Report struct {
	// Backend is what drove the I/O: pread, pread-threads, io_uring or pread-pool.
	Backend string
	// Workers is how many chunks could be in flight.
	Workers int
	// CPUs is how many CPUs the backend could use at once, before the machine's own bound: 1 for sequential, 1 a ring.
	CPUs int
	progress.Totals
}

// Reflink is a choice of when data is shared instead of copied. It implements flag.Value.
type Reflink int

const (
	ReflinkAuto   Reflink = iota // share where the file system can, else copy
	ReflinkAlways                // share or fail
	ReflinkNever                 // copy
)

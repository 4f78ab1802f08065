// Package copy copies files in chunks, many at a time, so that a destination has its final name only when it is whole.
// It shadows a builtin where it is imported: import it as filecopy.
package copy

import (
	"io"
	"log/slog"

	"pace/limiter"
	"pace/limiter/fleet"
	"pace/limiter/progress"
)

// Options says what to copy and how. The zero value of each field is its default.
type Options struct {
	// Sources are the paths to copy from, or URLs: see [IsURL] and [IsS3].
	Sources []string
	// Dest is the path to copy to: a file, or a folder that receives each source under its own name. Or it [IsS3]: an object,
	// or a prefix that receives them. With one source that is a tree, a prefix on either side stands for what is below it.
	Dest string
	// Output, if not nil, receives the bytes of the one source in order, and Dest does not count.
	Output io.Writer
	// NoTargetDir takes Dest as the file itself even where it is a folder, as cp -T.
	NoTargetDir bool
	// TargetDir requires that Dest is a folder, as cp -t.
	TargetDir bool
	// Recursive copies folders with all that is in them, as cp -r: symlinks and special files as such.
	Recursive bool
	// Archive implies Recursive and keeps also owners, extended attributes, ACLs, hard links, and setuid and setgid.
	Archive bool
	// OneFileSystem does not go into folders on other file systems than their source, as cp -x.
	OneFileSystem bool

	// Mode is how the I/O of chunks is driven. Where the file system copies ranges itself (copy_file_range(2) on NFS, SMB,
	// Ceph and FUSE, and where btrfs or XFS could not share a whole file), a worker's thread blocks in that call in each mode.
	Mode limiter.Mode
	// Workers is how many chunks are in flight; 0 means the mode's default ([DefaultWorkers]). Sequential has one.
	Workers int
	// AutoWorkers finds their number while they copy, where throughput grows no more (see [limiter.Tuner]), and Workers does
	// not count. Sequential has one.
	AutoWorkers bool
	// MaxWorkers bounds AutoWorkers; 0 means [DefaultMaxWorkers].
	MaxWorkers int
	// ChunkSize is the length of one operation in bytes; 0 means the mode's default.
	ChunkSize int64
	// Rate limits all workers together, those of a Fleet too, in bytes a second; nil is unlimited.
	Rate *limiter.Rate

	// Network says how sources are read that are URLs.
	Network Network
	// S3 says what s3:// is.
	S3 S3

	// Reflink says whether the file system may share the data instead of copying it.
	Reflink Reflink
	// NoClobber skips a destination that exists, as cp -n.
	NoClobber bool
	// Update skips a destination that is as new as its source or newer, as cp -u.
	Update bool
	// Checksum skips a destination that has the same bytes as its source.
	Checksum bool
	// Filter leaves out names in trees; nil leaves out none.
	Filter *Filter
	// Only, if not nil, are the paths below each source tree that are copied, folders with all that is in them. One that
	// is not there is a failed item.
	Only []string
	// Delete removes from the folders of an existing destination tree what the source has not. What Filter leaves out
	// stays, and so do the folders it is in, and all in a folder whose source cannot be listed. Refused are an empty source,
	// one that is in the destination, and the contents of one among several.
	Delete bool
	// MaxDelete is how many files and folders of the destination Delete removes at most; 0 is unlimited.
	MaxDelete int64
	// DryRun changes nothing. Verbose and Removed are told what would be done.
	DryRun bool
	// Verify reads the destination back from its device before it has its name, and compares it with the source.
	Verify bool
	// Hash is what Verify compares by. What an earlier run has brought of a source in a network is compared by the 64 bits of
	// XXH3 in its journal, whatever Hash is.
	Hash Hash
	// Expect, if not nil, is the digest that the one source must have: no other bytes get a name. What went to Output is
	// there already, and the item fails.
	Expect *Digest
	// Direct moves the data of large files past the page cache, where the file systems can (O_DIRECT of open(2)).
	Direct bool
	// Fsync brings all to the device before it has its name, and the name before the run ends.
	Fsync bool
	// Sparse says where the destination has holes.
	Sparse Sparse
	// IOPS limits the chunks and small files of all workers together, as Rate, in operations a second; nil is unlimited.
	IOPS *limiter.Rate
	// NoResume begins anew where an earlier run was stopped, and leaves nothing to resume.
	NoResume bool
	// FailFast ends the run with the first item that fails. Run returns nil then, as for other items that fail.
	FailFast bool

	// Fleet shares the copy with other processes, through a job on Redis; nil does not. All of them see the same file systems
	// under the same paths. Its MaxAttempts of 0 means [FleetAttempts].
	Fleet *fleet.Options

	// Progress receives what the run does; nil for none.
	Progress *progress.Counter
	// Verbose, if not nil, is told of each file that was copied and of each folder that was made, as cp -v. Calls do not
	// overlap, neither with those of Removed.
	Verbose func(src, dst string)
	// Removed, if not nil, is told of each entry that Delete has removed.
	Removed func(dst string)
	// Log receives what the user may want to know: each failed item at level Error with the attributes "item" and
	// "error", a fallback at level Warn. nil for none.
	Log *slog.Logger
}

// Report is what a run of [Run] did.
type Report struct {
	// Backend is what drove the I/O: pread, pread-threads, io_uring or pread-pool; blocking or poller with a network.
	Backend string
	// Workers is how many chunks could be in flight; with AutoWorkers, at the end.
	Workers int
	// WorkerSteps are the numbers that AutoWorkers had them be, in order; nil without it.
	WorkerSteps []limiter.Step
	// CPUs is how many CPUs the backend could use at once, before the machine's own bound: 1 for sequential, 1 a ring.
	CPUs int
	// Warnings counts what the destination could not hold: an owner, an attribute.
	Warnings int64
	// FailedElsewhere counts items of a fleet's job that have failed for good and that this worker did not report.
	FailedElsewhere int64
	progress.Totals
}

// Sparse is a choice of where a copy has holes. It implements flag.Value.
type Sparse int

const (
	SparseAuto   Sparse = iota // where the source has
	SparseAlways               // also where the source has blocks of zeros
	SparseNever                // nowhere
)

// Reflink is a choice of when data is shared instead of copied. It implements flag.Value.
type Reflink int

const (
	ReflinkAuto   Reflink = iota // share where the file system can, else copy
	ReflinkAlways                // share or fail
	ReflinkNever                 // copy
)

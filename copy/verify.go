package copy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"pace/limiter"
	"pace/limiter/progress"
)

// VerifyOptions says what to compare and how. The zero value of each field is its default.
type VerifyOptions struct {
	// Source and Dest are two files or two folders. A Dest that is a folder where Source is none stands for the file of
	// the same name in it. Symlinks are followed here and nowhere else.
	Source, Dest string

	// Mode is how the work is driven.
	Mode limiter.Mode
	// Workers is how many chunks are hashed at once; 0 means [DefaultVerifyWorkers]. Sequential has one.
	Workers int
	// AutoWorkers and MaxWorkers are those of [Options].
	AutoWorkers bool
	MaxWorkers  int
	// ChunkSize is the length of one operation in bytes; 0 means 1 MiB.
	ChunkSize int64
	// Hash is what stands for the bytes. Chunks are hashed side by side and compared one with one, so the hash of no
	// whole file is made: with a serial function like SHA-256 it could not be made in parallel.
	Hash Hash
	// Archive compares metadata too: mode, owner, modification time to the nanosecond and extended attributes, ACLs among
	// them, where the system has them.
	Archive bool
	// Filter leaves out names in the trees; nil for none. It does not apply to Source and Dest themselves.
	Filter *Filter
	// Omit are files in the trees that are left out whatever they are called.
	Omit []fs.FileInfo

	// Progress receives what the run does; nil for none. Bytes are counted once for both sides.
	Progress *progress.Counter
	// Log receives each difference and each file that cannot be read, at level Error with the attributes "item" and
	// "error"; nil for none.
	Log *slog.Logger
	// OnDifference, if not nil, is told of each difference. Calls do not overlap.
	OnDifference func(Difference)
}

const (
	verifyChunk = 1 * mib
	verifyPiece = 128 * kib // read at once; what was read is still in the core's cache when it is hashed
)

// DefaultVerifyWorkers is how many chunks are hashed at once unless told otherwise. Two a CPU: one is hashed while the
// other waits for its disk.
func DefaultVerifyWorkers(m limiter.Mode) int {
	if m == limiter.Sequential {
		return 1
	}
	return 2 * runtime.NumCPU()
}

// Verify compares two files, or two trees, by the checksums of their chunks: files side by side, and the chunks of large
// ones. In a tree every type of file is compared: links by where they lead, devices by their numbers.
//
// Each [Difference] is a failed item, and so is a file that cannot be read or changes meanwhile; the others go on, and
// Verify returns nil. It returns an error when the run cannot go on:
//
//   - a [*UsageError] if the options contradict each other;
//   - an error that matches ctx.Err() if ctx was cancelled;
//   - any other error if Source is not there, or if the two can't be opened.
//
// The Report is right whether there is an error or not.
func Verify(ctx context.Context, o VerifyOptions) (Report, error) {
	v := newVerifier(o)
	err := v.check()
	if err == nil && o.Dest == "" {
		err = usagef("no destination is given")
	}
	if err == nil {
		err = v.compare(ctx)
	}
	return v.report(), err
}

// verifier is one call of [Verify], [WriteManifest] or [CheckManifest].
type verifier struct {
	VerifyOptions
	tools verifyTools
	tuner *limiter.Tuner // with AutoWorkers
	mu    sync.Mutex     // held while OnDifference is called
}

func newVerifier(o VerifyOptions) *verifier {
	if o.Progress == nil {
		o.Progress = progress.New()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ChunkSize == 0 {
		o.ChunkSize = verifyChunk
	}
	if o.Workers == 0 {
		o.Workers = DefaultVerifyWorkers(o.Mode)
	}
	if o.Mode == limiter.Sequential {
		o.Workers, o.AutoWorkers = 1, false
	}
	if o.MaxWorkers == 0 {
		o.MaxWorkers = DefaultMaxWorkers
	}
	return &verifier{VerifyOptions: o, tools: verifyTools{hash: o.Hash}}
}

func (v *verifier) check() error {
	switch {
	case v.Source == "":
		return usagef("no source is given")
	case v.ChunkSize < 0:
		return usagef("chunk size %d is below zero", v.ChunkSize)
	case v.Workers < 0:
		return usagef("%d workers are below zero", v.Workers)
	}
	return nil
}

// report says what was done. No ring drives a file here: hashing takes the time, and one thread would do it all.
func (v *verifier) report() Report {
	backend := map[limiter.Mode]string{
		limiter.Sequential: backendPread, limiter.Threads: backendThreads, limiter.Async: backendPool,
	}[v.Mode]
	r := Report{Backend: backend, Workers: v.Workers, CPUs: v.Workers, Totals: v.Progress.Totals()}
	r.tuned(v.tuner, v.MaxWorkers)
	return r
}

// each does the jobs of a run.
func each[J any](
	ctx context.Context, v *verifier, next func(context.Context) (J, error), do func(context.Context, J) error,
) error {
	workers := v.crew()
	defer stopTuning(v.tuner, v.Progress)
	return limiter.EachOf(ctx, v.Mode, workers, next, do)
}

// compare walks both trees and compares what it finds, as jobs of the mode.
func (v *verifier) compare(ctx context.Context) error {
	f, err := v.begin()
	if err != nil {
		return err
	}
	defer f.close()
	err = each(ctx, v, f.next, v.compareChunk)
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	return err
}

// begin looks at the operands.
func (v *verifier) begin() (*verifyFeed, error) {
	src, err := os.Stat(v.Source)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", v.Source, because(err))
	}
	dst, err := os.Stat(v.Dest)
	if err == nil && dst.IsDir() && !src.IsDir() {
		v.Dest = within(v.Dest, filepath.Base(v.Source))
		dst, err = os.Stat(v.Dest)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read %s: %w", v.Dest, because(err))
	}
	f := &verifyFeed{verifier: v, walk: verifyWalk{filter: v.Filter, omit: v.Omit}}
	e := verifyEntry{src: src}
	if err == nil {
		e.dst = dst
	}
	if err := f.visitOperands(e); err != nil {
		return nil, err
	}
	return f, nil
}

// verifyFeed turns two trees into jobs.
type verifyFeed struct {
	*verifier
	walk verifyWalk
	pair *verifyPair // whose chunks are being given out; nil for none
}

// verifyJob is one chunk of a pair of files.
type verifyJob struct {
	pair *verifyPair
	chunk
}

// next returns the next chunk. What needs no reading of bytes is compared on the way.
func (f *verifyFeed) next(ctx context.Context) (verifyJob, error) {
	for {
		if f.pair != nil {
			if c, ok := f.pair.cut(f.ChunkSize); ok {
				return verifyJob{f.pair, c}, nil
			}
			f.pair = nil
		}
		if ctx.Err() != nil {
			return verifyJob{}, context.Cause(ctx)
		}
		e, err := f.walk.next()
		switch {
		case err == io.EOF:
			f.Progress.SetTotalKnown()
			return verifyJob{}, io.EOF
		case err != nil:
			f.Progress.Grow(1, 0)
			f.failed(f.sourcePath(e.rel), err)
		default:
			f.visit(e)
		}
	}
}

// close ends a feed that was not read to its end.
func (f *verifyFeed) close() {
	f.walk.close()
	if f.pair != nil {
		f.pair.abandon()
	}
}

// failed counts and names an item that could not be compared.
func (v *verifier) failed(item string, err error) {
	v.Progress.ItemFailed(item, err)
	v.Log.Error("cannot verify", "item", item, "error", err)
}

// differ counts and names a difference.
func (v *verifier) differ(d Difference) {
	item := d.Source
	if d.Kind == DifferenceExtra || d.Source == "" {
		item = d.Dest
	}
	v.Progress.ItemFailed(item, &d)
	v.Log.Error("differs", "item", item, "error", &d)
	if v.OnDifference != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.OnDifference(d)
	}
}

func (v *verifier) sourcePath(rel string) string { return verifyPath(v.Source, rel) }
func (v *verifier) destPath(rel string) string   { return verifyPath(v.Dest, rel) }

func verifyPath(root, rel string) string {
	if rel == "" {
		return root
	}
	return within(root, filepath.FromSlash(rel))
}

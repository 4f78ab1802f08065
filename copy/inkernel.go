package copy

import (
	"context"
	"errors"
	"os"
	"syscall"
)

// rangeCopier lets the kernel, or the server behind it, copy a range from file to file: over a network the bytes then
// stay where they are. Tests put faults here.
type rangeCopier struct {
	// suits says whether that is the fastest safe way between these two. clone is why their data could not be shared, nil
	// if that was not tried.
	suits func(in, out *os.File, clone error) bool
	// copy is copy_file_range(2) with the same offset on both sides: it may copy less than n bytes, and 0 bytes.
	copy func(in, out *os.File, off int64, n int) (int, error)
}

// devices are those of a source and a destination.
type devices struct{ in, out uint64 }

// beginInKernel decides whether the chunks of f are copied inside the kernel. What has to be looked at by us, or must not
// be shared, is not.
func (f *file) beginInKernel(clone error) {
	if f.Reflink == ReflinkNever || f.Sparse != SparseAuto || f.Direct || !f.ranges.suits(f.in, f.out, clone) {
		return
	}
	f.devices.in = f.meta.dev
	if m, err := statFile(f.out); err == nil {
		f.devices.out = m.dev
	}
	_, not := f.noRanges.Load(f.devices)
	f.inKernel.Store(!not)
}

// copyInKernel copies what it can of c inside the kernel, and returns what is left to read and write: all of it where
// this is not the way. No ring has this call, so in every mode the worker's own thread blocks in it.
//
// The bytes are never seen here, so they are noted without a hash: a run in the same boot trusts them as it trusts all
// others, and a later one, which would have to check them, copies them again.
func (f *file) copyInKernel(ctx context.Context, c chunk) (rest chunk, err error) {
	rest = c
	for rest.n > 0 && f.inKernel.Load() && err == nil {
		if ctx.Err() != nil {
			return rest, context.Cause(ctx)
		}
		var n int
		n, err = f.ranges.copy(f.in, f.out, rest.off, int(min(rest.n, maxCall)))
		if n > 0 {
			rest = chunk{rest.off + int64(n), rest.n - int64(n)}
		}
		if err != nil && again(ctx, err) {
			err = nil
			continue
		}
		if err == nil && n <= 0 {
			break // the source has become shorter, or the file system only says so: reading tells
		}
	}
	if done := c.n - rest.n; done > 0 {
		f.Progress.AddBytes(done)
		if f.journal != nil {
			if err := f.note(hashedRange{off: c.off, n: done}); err != nil {
				return rest, err
			}
		}
	}
	return rest, f.notInKernel(ctx, err)
}

// notInKernel decides about an error of the call. Only a full disk and the end of the run count: what else there may be,
// a read or a write says which of the two files it is about.
func (f *file) notInKernel(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case outOfSpace(err):
		return f.writeError(err)
	case errors.Is(err, syscall.EINVAL): // it may be about this file alone, as one that is swapped to
		f.inKernel.Store(false)
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.EXDEV), errors.Is(err, syscall.EPERM):
		f.inKernel.Store(false)
		f.noRanges.Store(f.devices, true)
	}
	return nil
}

package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// file is one regular file on its way.
type file struct {
	*run
	item
	target

	in      *os.File
	part    *part // nil where the destination is written in place
	extents []extent
	begun   bool // bytes may have moved
}

// extent is a range of bytes that holds data; what lies between extents reads as zeros.
type extent struct{ off, end int64 }

// copy makes the destination. When it fails nothing of it is left.
func (f *file) copy(ctx context.Context) error {
	if err := f.openSource(); err != nil {
		return err
	}
	defer func() { _ = f.in.Close() }()
	if f.inPlace != 0 {
		return f.copyInPlace(ctx)
	}
	var err error
	if f.part, err = openPart(ctx, f.path, f.info); err != nil {
		return err
	}
	if err := f.fillPart(ctx); err != nil {
		f.part.discard()
		return err
	}
	return nil
}

// openSource opens the source, and takes its size and times from what was opened.
func (f *file) openSource() (err error) {
	if f.in, err = os.Open(f.src); err != nil {
		return fmt.Errorf("cannot read %s: %w", f.src, because(err))
	}
	info, err := f.in.Stat()
	if err == nil && !os.SameFile(info, f.info) {
		err = &ChangedError{f.src}
	}
	if err != nil {
		_ = f.in.Close()
		return err
	}
	f.Progress.Grow(0, info.Size()-f.info.Size())
	f.info = info
	return nil
}

// fillPart brings the data and the metadata to the part file, and gives it its final name.
func (f *file) fillPart(ctx context.Context) error {
	shared, err := f.share()
	if err != nil {
		return err
	}
	if !shared {
		if err := f.copyData(ctx); err != nil {
			return err
		}
	}
	if err := f.unchanged(); err != nil {
		return err
	}
	if err := f.keepMetadata(); err != nil {
		return err
	}
	// The last moment at which a cancelled run has left nothing.
	if err := context.Cause(ctx); err != nil {
		return err
	}
	err = f.part.commit(f.path, f.NoClobber)
	if f.NoClobber && errors.Is(err, fs.ErrExist) {
		f.skip = true
		f.part.discard()
		return nil
	}
	return err
}

// share lets the file system share the data, if that is wished for and can be done.
func (f *file) share() (bool, error) {
	if f.Reflink == ReflinkNever || f.info.Size() == 0 {
		return false, nil
	}
	err := clone(f.part.f, f.in)
	switch {
	case err == nil:
		f.Progress.Grow(0, -f.info.Size())
		return true, nil
	case f.Reflink == ReflinkAlways:
		return false, fmt.Errorf("cannot share the data of %s with %s: %w", f.src, f.dst, err)
	}
	return false, nil
}

// copyData copies the bytes of the source.
func (f *file) copyData(ctx context.Context) error {
	if f.info.Size() == 0 || sizeUnsure(f.info) {
		// Files of /proc say that they are empty, and those of /sys that they fill a page.
		f.Progress.Grow(0, -f.info.Size())
		return f.stream(ctx, f.writePart)
	}
	if err := f.findExtents(); err != nil {
		return err
	}
	if err := f.makeRoom(ctx); err != nil {
		return err
	}
	return f.copyChunks(ctx)
}

// findExtents finds what is to be copied.
func (f *file) findExtents() error {
	var err error
	if f.extents, err = dataExtents(f.in, f.info); err != nil {
		return fmt.Errorf("cannot read %s: %w", f.src, err)
	}
	f.Progress.Grow(0, f.dataSize()-f.info.Size())
	return nil
}

func (f *file) dataSize() int64 {
	n := int64(0)
	for _, e := range f.extents {
		n += e.end - e.off
	}
	return n
}

// roomSlice bounds what is taken with one call: on tmpfs that is a tenth of a second, and it cannot be cancelled.
const roomSlice = 256 * mib

// makeRoom takes all space before the first byte is written. Parallel writes that make a file longer would wait for one
// another; into space that is there they do not, and a full disk is known now.
func (f *file) makeRoom(ctx context.Context) error {
	need := f.dataSize()
	if free, ok := freeSpace(f.part.f); ok && need > free {
		return &SpaceError{Dest: f.dst, Need: need, Free: free}
	}
	if need > f.chunk {
		slices := chunksOf(f.extents, roomSlice)
		for c, end := slices(ctx); end == nil; c, end = slices(ctx) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := preallocate(f.part.f, extent{c.off, c.off + c.n}); err != nil {
				return f.roomError(err)
			}
		}
	}
	if err := f.part.f.Truncate(f.info.Size()); err != nil {
		return f.roomError(because(err))
	}
	return nil
}

func (f *file) roomError(err error) error {
	if outOfSpace(err) {
		return &SpaceError{Dest: f.dst, Need: f.dataSize(), Free: -1}
	}
	return fmt.Errorf("cannot make room for %s: %w", f.dst, err)
}

// unchanged returns an error if the source is no longer what it was when it was opened.
func (f *file) unchanged() error {
	now, err := f.in.Stat()
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", f.src, because(err))
	}
	was := f.info
	if now.Size() != was.Size() || !now.ModTime().Equal(was.ModTime()) || !changeTime(now).Equal(changeTime(was)) {
		return &ChangedError{f.src}
	}
	return nil
}

// keepMetadata gives the part file the source's mode and time. Setuid and setgid stay behind: the new file may have
// another owner. The time comes last, since all before would change it.
func (f *file) keepMetadata() error {
	if err := f.part.f.Chmod(f.info.Mode() & (fs.ModePerm | fs.ModeSticky)); err != nil {
		if err := f.notKept("mode", err); err != nil {
			return err
		}
	}
	if err := setModTime(f.part.path, f.info.ModTime()); err != nil {
		return f.notKept("modification time", err)
	}
	return nil
}

// notKept turns a refusal of the file system to hold what into a warning.
func (f *file) notKept(what string, err error) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, errors.ErrUnsupported) {
		f.Log.Warn("the destination cannot keep the "+what, "item", f.src, "reason", because(err))
		return nil
	}
	return fmt.Errorf("cannot keep the %s of %s: %w", what, f.src, because(err))
}

package copy

import (
	"context"
	"fmt"
)

// compareLeft is the job that looks whether a file which a run in another boot has left is whole. By its size and times it
// is, but a machine that stopped may have kept those and lost the bytes. If so it is copied again.
func (f *file) compareLeft(ctx context.Context) error {
	if err := f.openSource(); err != nil {
		return f.end(ctx, err)
	}
	same, err := f.keepLeft(ctx)
	if same || err != nil {
		return f.end(ctx, err)
	}
	if err := f.to.dir.removeAll(f.to.name, false); err != nil {
		return f.end(ctx, fmt.Errorf("cannot create %s: %w", f.to.shown, err))
	}
	f.doubtful = false
	b := newBatch(f.run)
	defer b.close()
	if err := f.startInTree(ctx, b); err != nil {
		return err
	}
	return b.flush(ctx)
}

// keepLeft compares what was left with the source. If it is the same it gets once more what is said of it, which may be
// lost too.
func (f *file) keepLeft(ctx context.Context) (same bool, err error) {
	out, err := f.to.dir.open(f.to.name)
	if err != nil {
		return false, nil // it is copied again
	}
	defer func() { _ = out.Close() }()
	same, err = f.equal(ctx, out, f.meta.size, f.sum)
	switch {
	case ctx.Err() != nil:
		return false, cancelled(ctx)
	case !same || err != nil:
		return false, nil // what a disk cannot read back it may still take anew
	}
	if err := f.unchanged(); err != nil {
		return false, err
	}
	if err := f.keep(out, f.in, f.from.shown, f.meta); err != nil {
		return false, err
	}
	if f.Fsync {
		if err := out.Sync(); err != nil {
			return false, f.writeError(err)
		}
	}
	return true, nil
}

package copy

import (
	"fmt"
	"os"
)

// share lets the file system share the data, if that is wished for and can be done. A fleet does not.
func (f *file) share(out *os.File) (bool, error) {
	known := f.Reflink == ReflinkAuto && f.node != nil && f.node.tree.noClone.Load()
	if f.Reflink == ReflinkNever || f.fleet != nil || f.meta.size == 0 || known {
		return false, nil
	}
	err := clone(out, f.in)
	f.notClone = err
	switch {
	case err == nil:
		f.Progress.Grow(0, -f.meta.size)
		return true, nil
	case f.Reflink == ReflinkAlways:
		return false, fmt.Errorf("cannot share the data of %s with %s: %w", f.from.shown, f.to.shown, err)
	case f.node != nil && cannotClone(err):
		f.node.tree.noClone.Store(true)
	}
	return false, nil
}

// afterShare takes away what an earlier run may have left behind the shared data, and its journal.
func (f *file) afterShare() error {
	m, err := statFile(f.part.f)
	if err == nil && m.size != f.meta.size { // even to the same size, XFS would write the last block, and so not share it
		err = f.part.f.Truncate(f.meta.size)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", f.to.shown, because(err))
	}
	return f.dropJournal()
}

package copy

import (
	"context"
	"fmt"
	"os"
)

// claim decides about an item that an earlier one is in the way of, by the rules of cp: because it has the same
// destination, or because one would be written to what the other makes beside its destination. The contents of several
// folders can go into one.
func (r *run) claim(it item) (skip bool, err error) {
	r.claiming.Lock()
	defer r.claiming.Unlock()
	if it.err == nil && r.Only != nil && !it.isTree(&r.Options) {
		return false, fmt.Errorf("%s is no folder, and only paths in it are to be copied", it.src)
	}
	copied := it.err == nil && (it.info.Mode().IsRegular() || r.Recursive)
	if !copied || it.merge {
		return false, nil
	}
	if earlier := r.dests[it.dst]; earlier != nil {
		switch {
		case os.SameFile(it.info, earlier):
			r.Log.Warn("source file given more than once", "item", it.src)
			return true, nil
		case r.NoClobber && !it.info.IsDir():
			return true, nil
		case earlier.IsDir() && it.isTree(&r.Options):
			return false, nil // folders of one name become one
		}
		return false, fmt.Errorf("will not overwrite just-created %s with %s", it.dst, it.src)
	}
	if dst, ok := r.works[it.dst]; ok {
		return false, fmt.Errorf("will not write %s to %s, by way of which %s is copied", it.src, it.dst, dst)
	}
	for _, path := range workPaths(it.dst) {
		if r.dests[path] != nil {
			return false, fmt.Errorf("will not overwrite just-created %s with the part file of %s", path, it.dst)
		}
		r.works[path] = it.dst
	}
	r.dests[it.dst] = it.info
	return false, nil
}

// unclaimed counts an item that was not to be copied. The error returned is one that ends the run.
func (r *run) unclaimed(ctx context.Context, it item, err error) error {
	if err != nil {
		return r.failed(ctx, it.src, err, false)
	}
	if it.isTree(&r.Options) {
		r.Progress.Grow(1, 0) // one of many, it was not counted yet
	}
	r.Progress.ItemSkipped()
	return nil
}

package copy

import "sync/atomic"

// room is what was free in a file system when a tree began, less what the tree has brought. Small files count here:
// asking the file system for each would cost more.
type room struct {
	known bool
	free  int64
	taken *atomic.Int64
}

func roomOf(d *dir) room {
	free, ok := freeSpace(d.f)
	return room{known: ok, free: free, taken: new(atomic.Int64)}
}

// take counts the size of f, and fails if there cannot be room for it.
func (r room) take(f *file, size int64) error {
	if taken := r.taken.Add(size); r.known && taken > r.free {
		return &SpaceError{Dest: f.to.shown, Need: size, Free: max(r.free-(taken-size), 0)}
	}
	return nil
}

package copy

import "sync/atomic"

// room is what was free in a file system when a tree began, less what the walk has seen since that will need some. Asking
// the file system for each small file would cost more; and a tree that cannot fit is known before all is full.
type room struct {
	dev    uint64 // the device that it is of
	dest   string // for messages
	bytes  supply
	inodes supply
	blocks blockRule
}

// blockRule says what files fill in a file system.
type blockRule struct {
	size   int64 // of a block; 1 if it is not known how files lie in them
	inline int64 // files of up to so many bytes may need no block
}

// filled returns what n bytes of data fill.
func (b blockRule) filled(n int64) int64 {
	if n <= b.inline {
		return 0
	}
	return (n + b.size - 1) / b.size * b.size
}

// supply is a stock of bytes or inodes.
type supply struct {
	known bool
	free  int64
	taken atomic.Int64
}

// roomOf returns the room of the file system that d is in. Nobody knows that of a directory which is not there.
func roomOf(d *dir, dest string) *room {
	r := &room{dest: dest, blocks: blockRule{size: 1}}
	if d == nil {
		return r
	}
	if m, err := d.meta(); err == nil {
		r.dev = m.dev
	}
	r.bytes.free, r.bytes.known = freeSpace(d.f)
	r.inodes.free, r.inodes.known = freeInodes(d.f)
	r.blocks = blocksOf(d.f)
	return r
}

// take counts what will be needed, and fails if all together cannot be there.
func (r *room) take(bytes, inodes int64) error {
	if taken := r.bytes.taken.Add(bytes); r.bytes.known && taken > r.bytes.free {
		return &SpaceError{Dest: r.dest, Need: taken, Free: r.bytes.free, SoFar: true}
	}
	if taken := r.inodes.taken.Add(inodes); r.inodes.known && taken > r.inodes.free {
		return &SpaceError{Dest: r.dest, Need: taken, Free: r.inodes.free, SoFar: true, Inodes: true}
	}
	return nil
}

// Where so few inodes are left and so many bytes, it is inodes that were lacking: others may have given some back since.
const (
	fewInodes = 64
	manyBytes = mib
)

// noInode turns an error of making shown in d into a *SpaceError if no inodes are left: of the two things that a full file
// system can lack, the error names neither.
func (d *dir) noInode(shown string, err error) error {
	if d == nil || !outOfSpace(err) {
		return err
	}
	free, ok := freeInodes(d.f)
	if bytes, known := freeSpace(d.f); ok && (free == 0 || free < fewInodes && known && bytes > manyBytes) {
		return &SpaceError{Dest: shown, Need: free + 1, Free: free, Inodes: true}
	}
	return err
}

// enterRoom finds the room of a directory that was opened or made on both sides.
func (n *node) enterRoom() error {
	n.room = n.parent.room
	if n.dst == nil {
		return nil
	}
	if !n.made {
		// Something else may be mounted there.
		if m, err := n.dst.meta(); err == nil && m.dev != n.room.dev {
			n.room = roomOf(n.dst, n.shown(n.tree.dst, ""))
		}
		return nil
	}
	if n.resumed {
		return nil
	}
	err := n.room.take(0, 1)
	if err != nil {
		_ = n.dst.close()
		if n.grown != nil {
			n.grown.close()
		}
	}
	return err
}

// taking is what a file has been counted with.
type taking struct {
	done          bool
	bytes, inodes int64
}

// mayShare says whether the data of f may turn out to need no room.
func (f *file) mayShare() bool {
	return f.Reflink != ReflinkNever && f.meta.size > 0 && !f.node.tree.noClone.Load()
}

// takeRoom counts what f needs, once. What it replaces, and what an earlier run has copied of it, need not be found again.
func (f *file) takeRoom() error {
	if f.node == nil || f.taken.done {
		return nil
	}
	need := f.node.room.blocks.filled(f.dataNeeded())
	t := taking{done: true, bytes: need, inodes: 1}
	if f.old != nil {
		t.inodes--
		if f.old.nlink == 1 && f.old.mode.IsRegular() {
			t.bytes -= max(f.old.blocks, 0) * 512
		}
	}
	if part, ok := f.oldPart(); ok {
		t.bytes -= min(max(part.blocks, 0)*512, need)
		t.inodes--
	}
	f.taken = t
	return f.node.room.take(t.bytes, t.inodes)
}

// giveRoomBack takes back what a file was counted with that is not copied after all.
func (f *file) giveRoomBack() {
	if f.taken.done {
		f.node.room.bytes.taken.Add(-f.taken.bytes)
		f.node.room.inodes.taken.Add(-f.taken.inodes)
		f.taken = taking{}
	}
}

// dataNeeded returns how many bytes of f will be written, at least: zeros that may become holes are not counted.
func (f *file) dataNeeded() int64 {
	switch {
	case f.Sparse == SparseAlways:
		return 0
	case f.Sparse == SparseNever || f.meta.blocks < 0 || f.meta.blocks*512 >= f.meta.size || f.in == nil:
		return f.meta.size
	}
	extents, err := dataExtents(f.in, f.meta)
	if err != nil {
		return 0 // the copy will say so
	}
	return (&incoming{extents: extents}).dataSize()
}

// oldPart looks at what an earlier run may have left of a large file.
func (f *file) oldPart() (meta, bool) {
	if f.meta.size <= f.chunk || f.NoResume || f.node.made && !f.node.resumed {
		return meta{}, false
	}
	for _, hashed := range []bool{false, true} {
		if m, err := f.to.dir.lstat(partName(f.to.name, hashed)); err == nil && m.mode.IsRegular() && m.size > 0 {
			return m, true
		}
	}
	return meta{}, false
}

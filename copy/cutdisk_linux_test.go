package copy

import (
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"
)

// cutDisk is a disk with a cache that forgets: what was not synced before the power was cut may be there afterwards, or
// not. Bytes and length of a file are safe since its fsync, names in a directory since that of the directory. It keeps the
// order of the names in one directory, and renames are whole, as journaling file systems have it; pages of data come and
// go as they like.
type cutDisk struct {
	mu    sync.Mutex
	nodes map[uint64]*cutInode // 1 is the root
	next  uint64
	ops   int           // that change something, so far
	cutAt int           // the first one that does not happen any more; below zero for never
	dark  chan struct{} // closed when the power is cut
}

// cutInode is a file, a directory or a symlink.
type cutInode struct {
	ino  uint64
	now  cutState
	safe cutState // what is on the disk
	// lists are what the directory has held since its fsync, one for each change.
	lists []map[string]uint64
}

type cutState struct {
	mode         uint32 // with the type
	uid, gid     uint32
	mtime, atime time.Time
	ctime        time.Time
	data         []byte
	list         map[string]uint64
}

func newCutDisk() *cutDisk {
	d := &cutDisk{nodes: map[uint64]*cutInode{}, next: 1, cutAt: -1, dark: make(chan struct{})}
	root := d.node(syscall.S_IFDIR | 0o755)
	root.sync()
	return d
}

// node makes an inode. It requires that mu is held, as all that follows.
func (d *cutDisk) node(mode uint32) *cutInode {
	t := time.Now()
	n := &cutInode{ino: d.next, now: cutState{mode: mode, mtime: t, atime: t, ctime: t}}
	if mode&syscall.S_IFMT == syscall.S_IFDIR {
		n.now.list = map[string]uint64{}
	}
	n.safe = n.now.clone() // whatever makes it found after a cut finds it empty
	d.next++
	d.nodes[n.ino] = n
	return n
}

// change counts an operation that changes something, and says whether there is still power for it.
func (d *cutDisk) change() syscall.Errno {
	select {
	case <-d.dark:
		return syscall.EIO
	default:
	}
	if d.ops == d.cutAt {
		close(d.dark)
		return syscall.EIO
	}
	d.ops++
	return 0
}

func (s cutState) clone() cutState {
	s.data, s.list = slices.Clone(s.data), maps.Clone(s.list)
	return s
}

// set makes another list of a directory the present one.
func (n *cutInode) set(change func(list map[string]uint64)) {
	n.lists = append(n.lists, maps.Clone(n.now.list))
	change(n.now.list)
	n.now.mtime = time.Now()
}

func (n *cutInode) sync() {
	n.safe, n.lists = n.now.clone(), nil
}

func (n *cutInode) write(p []byte, off int64) {
	if end := off + int64(len(p)); end > int64(len(n.now.data)) {
		n.resize(end)
	}
	copy(n.now.data[off:], p)
	n.now.mtime, n.now.ctime = time.Now(), time.Now()
}

func (n *cutInode) resize(size int64) {
	if size <= int64(len(n.now.data)) {
		n.now.data = n.now.data[:size]
		return
	}
	n.now.data = append(n.now.data, make([]byte, size-int64(len(n.now.data)))...)
}

// survivors returns the disk as it is found after the cut: with only what is safe or, if rnd is not nil, with a part of
// all else.
func (d *cutDisk) survivors(rnd *rand.Rand) *cutDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := &cutDisk{nodes: map[uint64]*cutInode{}, next: d.next, cutAt: -1, dark: make(chan struct{})}
	d.survive(after, 1, rnd)
	return after
}

func (d *cutDisk) survive(after *cutDisk, ino uint64, rnd *rand.Rand) {
	if after.nodes[ino] != nil {
		return // another name of it
	}
	old := d.nodes[ino]
	state := old.safe.clone()
	if rnd != nil {
		state = old.lottery(rnd)
	}
	after.nodes[ino] = &cutInode{ino: ino, now: state, safe: state.clone()}
	for _, name := range slices.Sorted(maps.Keys(state.list)) {
		d.survive(after, state.list[name], rnd)
	}
}

// lottery draws what is left of an inode.
func (n *cutInode) lottery(rnd *rand.Rand) cutState {
	state := n.safe.clone()
	if n.now.list != nil {
		lists := append(slices.Clone(n.lists), n.now.list)
		state.list = maps.Clone(lists[rnd.IntN(len(lists))])
		return state
	}
	if rnd.IntN(2) == 0 { // the inode has got to the disk: its length, mode and times
		data := state.data
		state = n.now.clone()
		clear(state.data)
		copy(state.data, data)
	}
	const page = 4096
	for off := 0; off < min(len(state.data), len(n.now.data)); off += page {
		if end := min(off+page, len(state.data), len(n.now.data)); rnd.IntN(2) == 0 {
			copy(state.data[off:end], n.now.data[off:end])
		}
	}
	return state
}

// find returns what is at a path from the root.
func (d *cutDisk) find(path string) (cutState, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.nodes[1]
	for _, name := range splitPath(path) {
		ino, ok := at.now.list[name]
		if !ok {
			return cutState{}, fs.ErrNotExist
		}
		at = d.nodes[ino]
	}
	return at.now.clone(), nil
}

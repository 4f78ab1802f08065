package copy

import "sync"

// heldFolders are folders below one, which are open while files in them are copied. To come to each file from there costs
// one call, and from the root one for each folder on the way; over a network these are round trips. The zero value holds
// none.
type heldFolders struct {
	mu  sync.Mutex
	all map[string]*heldFolder
}

type heldFolder struct {
	dir *dir
	n   int // who uses it
}

// hold holds a folder until release is called. One that cannot be opened is not held: who needs it is told why.
func (h *heldFolders) hold(root *dir, rel string) (release func()) {
	held := h.use(rel)
	if held == nil {
		d, err := root.walkTo(rel)
		if err != nil {
			return func() {}
		}
		held = h.add(rel, d)
	}
	return func() { h.release(rel, held) }
}

// open opens a folder.
func (h *heldFolders) open(root *dir, rel string) (*dir, error) {
	held := h.use(rel)
	if held == nil {
		return root.walkTo(rel)
	}
	defer h.release(rel, held)
	return held.dir.up(".")
}

func (h *heldFolders) use(rel string) *heldFolder {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := h.all[rel]
	if held != nil {
		held.n++
	}
	return held
}

// add holds d, unless another goroutine has come first.
func (h *heldFolders) add(rel string, d *dir) *heldFolder {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := h.all[rel]
	if held != nil {
		_ = d.close()
		held.n++
		return held
	}
	if h.all == nil {
		h.all = map[string]*heldFolder{}
	}
	held = &heldFolder{d, 1}
	h.all[rel] = held
	return held
}

func (h *heldFolders) release(rel string, held *heldFolder) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if held.n--; held.n == 0 {
		_ = held.dir.close()
		delete(h.all, rel)
	}
}

// holdFolder keeps both sides of a folder open, where they are on a file system.
func (f *fleetRun) holdFolder(source int, rel string) (release func()) {
	let := func() {}
	if s, ok := f.shelves[source].(*localShelf); ok && s.name == "" {
		let = s.held.hold(s.root, rel)
	}
	g, ok := f.ground.(*localGround)
	if !ok {
		return let
	}
	alsoLet := g.held.hold(g.base, f.lands(source, rel))
	return func() {
		let()
		alsoLet()
	}
}

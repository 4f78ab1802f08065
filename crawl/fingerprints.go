package crawl

// fingerprints is a set of 64-bit hashes: 256 hash tables with linear probing (Knuth, The Art of Computer Programming,
// volume 3, section 6.4, algorithm L), of which each grows for itself, so that no single add moves millions. A look
// touches one line of the cache where Go's map touches two or three. Hashes take 11 to 22 bytes each. The zero value is
// an empty set.
type fingerprints struct {
	tables [256]fingerprintTable
}

type fingerprintTable struct {
	slots []uint64 // a power of two of them, at most three quarters in use; 0 is free
	n     int
}

// add adds a hash, and says whether it is new.
func (s *fingerprints) add(h uint64) bool {
	h = max(h, 1)
	t := &s.tables[h>>56]
	if 4*(t.n+1) > 3*len(t.slots) {
		t.grow()
	}
	i := t.find(h)
	if t.slots[i] == h {
		return false
	}
	t.slots[i] = h
	t.n++
	return true
}

func (s *fingerprints) has(h uint64) bool {
	h = max(h, 1)
	t := &s.tables[h>>56]
	return len(t.slots) > 0 && t.slots[t.find(h)] == h
}

// find returns the slot that holds a hash, or the free one where it belongs.
func (t *fingerprintTable) find(h uint64) uint64 {
	mask := uint64(len(t.slots) - 1)
	i := h & mask
	for t.slots[i] != h && t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	return i
}

func (t *fingerprintTable) grow() {
	old := t.slots
	t.slots = make([]uint64, max(8, 2*len(old)))
	for _, h := range old {
		if h != 0 {
			t.slots[t.find(h)] = h
		}
	}
}

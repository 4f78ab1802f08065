package crawl

// linkSet is the set of the links of one page. It is used again for the next page, and knows a URL by 64 bits: of the
// 100,000 links that a page may have, the chance that two are taken for one is below 1 in a billion.
type linkSet struct {
	slots []linkSlot // a power of two of them, at least twice as many as links
	page  uint32     // those of other pages are free
}

type linkSlot struct {
	hash uint64
	page uint32
	item int32 // 0 for none, itemDone, or the number, from 1, of the item that only checks what it leads to
}

const itemDone = -1 // what a link leads to is to be fetched, or known

// reset empties the set for a page with at most so many links.
func (s *linkSet) reset(links int) {
	size := 64
	for size < 2*links {
		size *= 2
	}
	// What a huge page has made large does not stay.
	if s.page++; len(s.slots) < size || len(s.slots) > 16*size || s.page == 0 {
		s.slots, s.page = make([]linkSlot, size), 1
	}
}

// at returns the slot of a URL by its fingerprint, and whether it is new.
func (s *linkSet) at(h uint64) (slot *linkSlot, isNew bool) {
	mask := uint64(len(s.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		switch slot = &s.slots[i]; {
		case slot.page != s.page:
			*slot = linkSlot{hash: h, page: s.page}
			return slot, true
		case slot.hash == h:
			return slot, false
		}
	}
}

package crawl

import (
	"encoding/hex"
	"sync"
)

// maxBodies is how many different bodies are remembered, at about 130 bytes each. Later ones are compared with them, but
// not with each other.
const maxBodies = 250_000

// bodySet remembers the first page with each body. Which of several pages is the first is a matter of which was whole
// first: with one worker always the same one, with many perhaps another one in each run. Of n pages with one body n-1
// are marked in every run. A crawl that goes on compares only with pages of its own run, and a 304 with none. Half of
// the SHA-256 tells bodies apart.
type bodySet struct {
	mu    sync.Mutex
	first map[[16]byte]string
}

// duplicateOf returns the first page's URL if another page had the body with this SHA-256 in hex, or notes this one.
func (s *bodySet) duplicateOf(hash, url string) string {
	var key [16]byte
	if _, err := hex.Decode(key[:], []byte(hash)[:2*len(key)]); err != nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, ok := s.first[key]; ok {
		return other
	}
	if s.first == nil {
		s.first = map[[16]byte]string{}
	}
	if len(s.first) < maxBodies {
		s.first[key] = url
	}
	return ""
}

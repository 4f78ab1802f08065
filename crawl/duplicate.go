package crawl

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// maxBodies is how many different bodies a crawl without a state remembers, at about 130 bytes each. Later ones are
// compared with them, but not with each other.
const maxBodies = 250_000

// bodyKey tells bodies apart: half of their SHA-256.
type bodyKey [16]byte

// bodySet remembers the first page with each body. Which of several pages is the first is a matter of which was whole
// first: with one worker always the same one, with many perhaps another one in each run. Of n pages with one body n-1
// are marked in every run.
//
// A state keeps what the set knows, so that a crawl that goes on compares with all pages of its earlier runs; memory then
// holds only the pages that do not count yet. If one of them is lost to a crash, another page may name it that counts:
// it is fetched again, and is the first again. A recrawl begins with an empty set. What is empty is like no other page.
type bodySet struct {
	mu    sync.Mutex
	first map[bodyKey]string
	// stored returns the page that the state has for a body, or nothing; nil without a state.
	stored func(bodyKey) (string, error)
}

// firstBody is a page that is the first with its body.
type firstBody struct {
	key bodyKey
	url string
}

// emptyBody is the SHA-256 of nothing.
var emptyBody = hex.EncodeToString(sha256.New().Sum(nil))

// duplicateOf returns the first page's URL if another page had the body with this SHA-256 in hex. If there is none, it
// notes this one, and returns what a state is to keep.
func (s *bodySet) duplicateOf(hash, url string) (other string, first *firstBody, err error) {
	var key bodyKey
	if _, err := hex.Decode(key[:], []byte(hash)[:2*len(key)]); err != nil || hash == emptyBody {
		return "", nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, ok := s.first[key]; ok {
		return other, nil, nil
	}
	if s.stored != nil {
		if other, err := s.stored(key); other != "" || err != nil {
			return other, nil, err
		}
	}
	if s.first == nil {
		s.first = map[bodyKey]string{}
	}
	if s.stored == nil && len(s.first) >= maxBodies {
		return "", nil, nil
	}
	s.first[key] = url
	return "", &firstBody{key: key, url: url}, nil
}

// kept says that the state has what was noted of a page.
func (s *bodySet) kept(body *firstBody) {
	if body == nil || s.stored == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.first, body.key)
}

func (k bodyKey) stored() []byte { return append([]byte{keyBody}, k[:]...) }

// firstWith returns the page that is known as the first with a body, or nothing.
func (f *diskFrontier) firstWith(key bodyKey) (string, error) {
	url, err := f.store.get(key.stored())
	return string(url), err
}

// keepBodies keeps which pages are the first with their bodies.
func keepBodies(b *pebble.Batch, changes []*change) error {
	for _, c := range changes {
		if c.body == nil {
			continue
		}
		if err := b.Set(c.body.key.stored(), []byte(c.body.url), nil); err != nil {
			return err
		}
	}
	return nil
}

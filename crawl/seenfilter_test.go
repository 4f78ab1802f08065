package crawl

import (
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// What was added is always found, and of the rest very little.
func TestSeenFilter(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const n = 3 * filterFirst // three layers
	f := newSeenFilter()
	defer f.close()
	added := make([]uint64, n)
	for i := range added {
		added[i] = rnd.Uint64()
		f.add(added[i])
	}
	for _, h := range added {
		if !f.mayHave(h) {
			t.Fatalf("%x was added and is not there", h)
		}
	}
	wrong := 0
	for range n {
		if f.mayHave(rnd.Uint64()) {
			wrong++
		}
	}
	if wrong > n/200 {
		t.Errorf("%d of %d seem to be there", wrong, n)
	}
}

// An opened state takes everything for seen until it is read, and then what was seen.
func TestSeenFilterLoaded(t *testing.T) {
	s, err := openStore("state", nil, vfs.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.close() }()
	b := s.batch()
	for h := range uint64(1000) {
		if err := b.Set(seenKey(h<<50), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.commit(b); err != nil {
		t.Fatal(err)
	}
	f := loadSeenFilter(s)
	if f.before.Load() == nil && !f.mayHave(12345) {
		t.Error("not read yet, and it says that something is new")
	}
	f.wg.Wait()
	defer f.close()
	for h := range uint64(1000) {
		if !f.mayHave(h << 50) {
			t.Fatalf("%x is not there", h<<50)
		}
	}
	if f.mayHave(12345) && f.mayHave(123456) && f.mayHave(1234567) {
		t.Error("it still takes everything for seen")
	}
}

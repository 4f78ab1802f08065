package crawl

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	filterFirst = 1 << 16 // fingerprints in the first layer
	filterMost  = 1 << 23 // and in the largest; all layers together take 32 MiB
	filterBits  = 16      // for each fingerprint: one in 1,000 that was not seen looks as if it was
)

// seenFilter says of most URLs that are new that they are, so that they need no look at the disk: layers of split block
// Bloom filters (Putze, Sanders and Singler, "Cache-, hash- and space-efficient Bloom filters", 2007), each twice as
// large as the one before. Beyond 16 million fingerprints it says so of ever fewer.
//
// add and mayHave are of one goroutine at a time. What an opened state has seen is read in the background; until that is
// done everything may have been seen.
type seenFilter struct {
	layers filterLayers                 // of what this run added
	before atomic.Pointer[filterLayers] // of what was there; nil until it is known
	stop   chan struct{}
	wg     sync.WaitGroup
}

// newSeenFilter returns the filter of a state that has seen nothing.
func newSeenFilter() *seenFilter {
	f := &seenFilter{stop: make(chan struct{})}
	f.before.Store(&filterLayers{})
	return f
}

// loadSeenFilter returns the filter of what a store has. It reads that in the background until close.
func loadSeenFilter(s *store) *seenFilter {
	f := &seenFilter{stop: make(chan struct{})}
	f.wg.Go(func() {
		var layers filterLayers
		whole := true
		err := s.scan([]byte{keySeen}, []byte{keySeen + 1}, func(key, _ []byte) (bool, error) {
			select {
			case <-f.stop:
				whole = false
			default:
				layers.add(binary.BigEndian.Uint64(key[1:]))
			}
			return whole, nil
		})
		if err == nil && whole { // without it, lookups meet the error themselves
			f.before.Store(&layers)
		}
	})
	return f
}

func (f *seenFilter) add(h uint64) { f.layers.add(h) }

func (f *seenFilter) mayHave(h uint64) bool {
	before := f.before.Load()
	return before == nil || f.layers.mayHave(h) || before.mayHave(h)
}

// close ends the reading.
func (f *seenFilter) close() {
	close(f.stop)
	f.wg.Wait()
}

type filterLayers []*filterLayer

// filterLayer is one filter. Each fingerprint sets a bit in every word of its block, which is one line of the cache.
type filterLayer struct {
	blocks  [][8]uint64
	n, most int
}

func (l *filterLayers) add(h uint64) {
	last := len(*l) - 1
	if last < 0 || (*l)[last].n >= (*l)[last].most && (*l)[last].most < filterMost {
		most := filterFirst
		if last >= 0 {
			most = 2 * (*l)[last].most
		}
		*l = append(*l, &filterLayer{blocks: make([][8]uint64, most*filterBits/512), most: most})
		last++
	}
	(*l)[last].add(h)
}

func (l filterLayers) mayHave(h uint64) bool {
	for _, layer := range l {
		if layer.mayHave(h) {
			return true
		}
	}
	return false
}

// place returns a fingerprint's block, and a number of which six bits choose its bit in each word.
func (l *filterLayer) place(h uint64) (*[8]uint64, uint64) {
	i, _ := bits.Mul64(h, uint64(len(l.blocks)))
	return &l.blocks[i], h * 0x9E3779B97F4A7C15 >> 16
}

func (l *filterLayer) add(h uint64) {
	block, chosen := l.place(h)
	for i := range block {
		block[i] |= 1 << (chosen >> (6 * i) & 63)
	}
	l.n++
}

func (l *filterLayer) mayHave(h uint64) bool {
	block, chosen := l.place(h)
	for i := range block {
		if block[i]&(1<<(chosen>>(6*i)&63)) == 0 {
			return false
		}
	}
	return true
}

package crawl

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"

	"pace/limiter"
	"pace/limiter/progress"
)

// The keys of a state, by their first byte. A page that is queued, handed out or waiting for another try is in the
// queue; one that is done is only in the seen-set.
const (
	keySeen  = 's' // and a fingerprint: a URL that was discovered
	keyQueue = 'q' // and the host, 0 and a number, as storedQueue counts: a page that is not done
	keyHost  = 'h' // and the host: where its pages are
	keyRest  = 'r' // and the host: what is left to know of one without pages
	keyVisit = 'v' // and what its keyQueue had: a page that is done, as a recrawl queues it
	keyPace  = 'p' // and the host: what outlives the run of its pace
	keyKnown = 'k' // and the host: links may lead there; what knownHost packs
	keyBody  = 'b' // and half of a SHA-256: the URL of the first page with that body
)

// The keys of what there is once.
var (
	keySeed     = []byte("mseed")     // of the fingerprints
	keyAdmitted = []byte("madmitted") // pages, of all runs
	keyMarks    = []byte("mmarks")    // of the outputs
	keySitemaps = []byte("msitemaps") // in the queues, which are no items
	keyChecks   = []byte("mchecks")   // of links, likewise
	keyTaken    = []byte("mtaken")    // sitemaps, of all runs
	keyChoices  = []byte("mchoices")  // with which this generation is crawled
	keyWhole    = []byte("mwhole")    // there while all pages are fetched whole
	keyAgain    = []byte("magain")    // there while known pages move back into the queues
)

const (
	recentSlots = 1 << 18  // fingerprints kept in memory, 8 bytes each
	windowPages = 64       // at most so many pages of a host are in memory
	windowBytes = 32 << 20 // and about so much of all hosts
)

// diskFrontier is a frontier that outlives the process. What a commit has returned of, no end of the process loses.
//
// Memory holds the hosts that have pages, a window on the pages of each, and of the seen-set what was met lately. A page
// stays on disk until it is done, and then goes with the commit that adds what it led to: after a crash the pages that
// were handed out are queued again, each in its old place.
//
// The seen-set keeps 64 bits a URL, with a random seed for each state: among ten million URLs the chance that any one is
// missed is below 3 in a million, and no site can choose URLs that collide.
type diskFrontier struct {
	schedule
	store    *store
	maxPages int
	seed     uint64

	recent [recentSlots]atomic.Uint64 // fingerprints that are noted; written by the one of what follows

	// What follows is of the one who calls reserve or commit.
	admitted  int
	sitemaps  int // in the queues
	checks    int // likewise
	takenKept int // what the disk has of sitemapFiles.taken
	filter    *seenFilter
	choices   string
	whole     bool                // all pages of this generation are fetched whole
	moving    bool                // the known pages are to move back into the queues
	fresh     map[uint64]struct{} // seen, and not yet committed
	staged    []stagedPage
	touched   []*hostQueue

	pacing    sync.Mutex            // held while the disk learns of a pace; taken before mu
	paces     map[string]storedPace // guarded by mu, as is the next
	pacesLook int                   // how many are looked through for those that are over
}

// recovery is what an opened state knows of earlier runs.
type recovery struct {
	hosts []knownHost
	marks []byte
	pages int  // that are not done
	done  int  // pages that are
	again bool // it was a recrawl that had just begun
	found bool // there was an earlier run
}

// newDiskFrontier returns the frontier in a store, as it was left. Hosts start nothing for gap if there was an earlier
// run: whatever it did last is then a gap ago.
func newDiskFrontier(
	s *store, hosts *limiter.Hosts, gap time.Duration, maxPages int, counter *progress.Counter, gate func(*item) *item,
) (*diskFrontier, *recovery, error) {
	f := &diskFrontier{
		schedule: newSchedule(hosts, counter, gate), store: s, maxPages: maxPages,
		fresh: map[uint64]struct{}{}, paces: map[string]storedPace{},
	}
	f.schedule.fill = f.fill
	old, err := f.recover(gap)
	if err == nil {
		s.merges.begin()
	}
	return f, old, err
}

// hash returns the fingerprint of a URL.
func (f *diskFrontier) hash(url string) uint64 { return xxh3.HashStringSeed(url, f.seed) }

func (f *diskFrontier) fingerprint(url []byte) uint64 { return xxh3.HashSeed(url, f.seed) }

// noted knows of what was met lately.
func (f *diskFrontier) noted(links []pageLink) {
	for i := range links {
		if l := &links[i]; l.isNew {
			l.noted = f.recent[l.slot.hash%recentSlots].Load() == l.slot.hash
		}
	}
}

// isNew says whether a fingerprint has not been seen.
func (f *diskFrontier) isNew(h uint64) (bool, error) {
	if f.recent[h%recentSlots].Load() == h {
		return false, nil
	}
	if _, ok := f.fresh[h]; ok {
		return false, nil
	}
	if !f.filter.mayHave(h) {
		return true, nil
	}
	found, err := f.store.has(seenKey(h))
	if err == nil && found {
		f.recent[h%recentSlots].Store(h)
	}
	return !found, err
}

func (f *diskFrontier) knows(url string) (bool, error) {
	isNew, err := f.isNew(f.hash(url))
	return !isNew, err
}

func (f *diskFrontier) reserve(url string) (bool, error) {
	h := f.hash(url)
	isNew, err := f.isNew(h)
	if isNew {
		f.fresh[h] = struct{}{}
	}
	return isNew, err
}

// retry keeps the tries that were made and the time to wait for, so that a crash shortens no wait.
func (f *diskFrontier) retry(it *item, notBefore time.Time) {
	if it.robots == nil {
		next := *it
		next.notBefore = notBefore
		f.fail(f.store.set(queueKey(it.url.Host(), it.seq), appendItem(nil, &next)))
	}
	f.schedule.retry(it, notBefore)
}

// fail ends the frontier if err is not nil: next returns it.
func (f *diskFrontier) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && f.err == nil {
		f.err = err
		f.changed()
	}
}

// close ends the frontier. One that has failed is left as it is: the next run recovers it.
func (f *diskFrontier) close() error {
	if f.filter != nil {
		f.filter.close()
	}
	return f.store.close()
}

// fill brings a window of a host's pages into memory; the fuller memory is, the smaller. It requires that mu is held.
func (f *diskFrontier) fill(q *hostQueue) error {
	s := &q.stored
	room := max(1, windowPages*(2*windowBytes-f.packed)/(2*windowBytes))
	first, limit := queueKey(q.key, s.next), queueKey(q.key, s.end)
	err := f.store.scan(first, limit, func(key, value []byte) (bool, error) {
		seq := binary.BigEndian.Uint64(key[len(key)-8:])
		if uint64(value[0])&packedTries == 0 {
			f.pack(q, seq, value)
		} else if err := f.tryAgain(q, seq, value); err != nil {
			return false, err
		}
		s.left--
		s.next = seq + 1
		room--
		return room > 0, nil
	})
	if err != nil {
		return err
	}
	if room > 0 && s.left > 0 {
		return damaged(errors.New("pages of " + q.key + " are missing"))
	}
	return nil
}

// tryAgain queues a page that was tried before. It requires that mu is held.
func (f *diskFrontier) tryAgain(q *hostQueue, seq uint64, packed []byte) error {
	it, err := unpackItem(packed)
	if err != nil {
		return err
	}
	if it.notBefore.IsZero() {
		f.pack(q, seq, packed) // moved by a redirect
		return nil
	}
	it.seq = seq
	q.push(it)
	q.stored.hold(seq)
	return nil
}

// recover reads what an earlier run left: of the pages only where they are.
func (f *diskFrontier) recover(gap time.Duration) (*recovery, error) {
	old := &recovery{}
	seed, err := f.store.get(keySeed)
	if err != nil {
		return nil, err
	}
	if seed == nil {
		f.filter = newSeenFilter()
		f.seed = rand.Uint64()
		return old, f.store.set(keySeed, binary.BigEndian.AppendUint64(nil, f.seed))
	}
	old.found, f.seed = true, binary.BigEndian.Uint64(seed)
	if f.moving, err = f.store.has(keyAgain); err != nil {
		return nil, err
	}
	old.again = f.moving
	if err := f.recoverChoices(); err != nil {
		return nil, err
	}
	admitted, err := f.store.get(keyAdmitted)
	if err != nil {
		return nil, err
	}
	f.admitted = int(firstUvarint(admitted))
	if old.marks, err = f.store.get(keyMarks); err != nil {
		return nil, err
	}
	sitemaps, err := f.store.get(keySitemaps)
	if err != nil {
		return nil, err
	}
	f.sitemaps = int(firstUvarint(sitemaps))
	checks, err := f.store.get(keyChecks)
	if err != nil {
		return nil, err
	}
	f.checks = int(firstUvarint(checks))
	taken, err := f.store.get(keyTaken)
	if err != nil {
		return nil, err
	}
	f.takenKept = int(firstUvarint(taken))
	f.sitemapFiles.taken = f.takenKept
	err = f.store.scan([]byte{keyKnown}, []byte{keyKnown + 1}, func(key, value []byte) (bool, error) {
		old.hosts = append(old.hosts, unpackKnown(string(key[1:]), value))
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	f.opening = time.Now().Add(gap)
	if err := f.recoverQueues(); err != nil {
		return nil, err
	}
	old.pages, old.done = f.queued, f.admitted-(f.queued-f.sitemaps)
	f.counter.Grow(int64(f.queued-f.sitemaps-f.checks), 0)
	if err := f.recoverPaces(); err != nil {
		return nil, err
	}
	f.filter = loadSeenFilter(f.store) // not before: its reading would hold up that of the hosts
	return old, nil
}

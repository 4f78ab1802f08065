package crawl

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// storedQueue is where the pages of a host are on disk: under numbers that rise in the order of discovery. It is zero
// for a frontier in memory.
type storedQueue struct {
	live int      // pages on disk, those included that are in memory too or handed out
	left int      // those that are only on disk
	next uint64   // the first of them is not below,
	end  uint64   // and the last is below
	tail uint64   // the number of the next page; above end while a commit is on its way
	held []uint64 // those that are handed out or wait for another try, sorted

	admitted int  // its host's pages, of all runs; up to date while known is set
	known    bool // what the disk said of the host is known
	rests    bool // the disk has a keyRest for it
	touched  bool // the present commit changes it
}

// hold notes that a page has left the queue and is still on disk.
func (s *storedQueue) hold(seq uint64) {
	if s.live == 0 {
		return // it is of a frontier in memory
	}
	if i, ok := slices.BinarySearch(s.held, seq); !ok {
		s.held = slices.Insert(s.held, i, seq)
	}
}

// remove notes that a page is no longer on disk.
func (s *storedQueue) remove(seq uint64) {
	if i, ok := slices.BinarySearch(s.held, seq); ok {
		s.held = slices.Delete(s.held, i, i+1)
	}
	s.live--
}

// save writes where a host's pages are. Without any, what is left to know of it.
func (q *hostQueue) save(b *pebble.Batch) error {
	s := &q.stored
	if s.live == 0 {
		s.rests = true
		record := binary.AppendUvarint(nil, s.tail)
		record = binary.AppendUvarint(record, uint64(s.admitted))
		return errors.Join(b.Delete(hostKey(keyHost, q.key), nil), b.Set(hostKey(keyRest, q.key), record, nil))
	}
	if s.rests {
		s.rests = false
		if err := b.Delete(hostKey(keyRest, q.key), nil); err != nil {
			return err
		}
	}
	record := binary.AppendUvarint(nil, uint64(s.live))
	record = binary.AppendUvarint(record, q.low())
	record = binary.AppendUvarint(record, s.tail)
	record = binary.AppendUvarint(record, uint64(s.admitted))
	return b.Set(hostKey(keyHost, q.key), record, nil)
}

// load takes over what the disk has of a host without pages: where its numbers go on, so that each is given once in a
// generation, and how many pages it has had. It requires that mu is held.
func (f *diskFrontier) load(q *hostQueue) error {
	s := &q.stored
	if s.known {
		return nil
	}
	tail, admitted, found, err := f.rest(q.key)
	if err != nil {
		return err
	}
	s.known, s.rests = true, found
	s.tail, s.next, s.end, s.admitted = tail, tail, tail, admitted
	return nil
}

// rest reads what is left to know of a host without pages.
func (f *diskFrontier) rest(host string) (tail uint64, admitted int, found bool, err error) {
	record, err := f.store.get(hostKey(keyRest, host))
	if record == nil || err != nil {
		return 0, 0, false, err
	}
	r := reader{b: record}
	tail, admitted = r.uvarint(), int(r.uvarint())
	if r.failed {
		err = damaged(errors.New("the record of a host without pages makes no sense"))
	}
	return tail, admitted, true, err
}

// admittedOf returns how many pages of a host commits have admitted. What cannot be read ends the frontier.
func (f *diskFrontier) admittedOf(host string) int {
	f.mu.Lock()
	if q := f.queues[host]; q != nil && q.stored.known {
		defer f.mu.Unlock()
		return q.stored.admitted
	}
	f.mu.Unlock()
	_, admitted, _, err := f.rest(host)
	f.fail(err)
	return admitted
}

func (f *diskFrontier) setHostBudget(most int, spent func(host string)) {
	f.schedule.setHostBudget(most, spent)
	f.budget.all, f.budget.before = f.admitted, f.admittedOf
}

// low returns a number that none of a host's pages is below. A resume begins there: before it may be as many traces of
// deleted pages as the host had pages.
func (q *hostQueue) low() uint64 {
	low := q.stored.next
	if q.pages.n > 0 {
		low, _ = q.pages.head()
	}
	if len(q.stored.held) > 0 {
		low = min(low, q.stored.held[0])
	}
	return low
}

// recoverQueues reads where the pages of all hosts are.
func (f *diskFrontier) recoverQueues() error {
	err := f.store.scan([]byte{keyHost}, []byte{keyHost + 1}, func(key, value []byte) (bool, error) {
		r := reader{b: value}
		live, low, tail, admitted := int(r.uvarint()), r.uvarint(), r.uvarint(), int(r.uvarint())
		if r.failed || live <= 0 || low > tail {
			return false, damaged(errors.New("a host's record makes no sense"))
		}
		q := &hostQueue{key: string(key[1:]), at: f.opening, paced: true, index: len(f.ready)}
		q.stored = storedQueue{live: live, left: live, next: low, end: tail, tail: tail, admitted: admitted, known: true}
		f.turns++
		q.turn = f.turns
		f.queues[q.key] = q
		f.ready = append(f.ready, q)
		f.queued += live
		return true, nil
	})
	heap.Init(&f.ready)
	return err
}

// storedPace is what outlives a run of a host's pace.
type storedPace struct {
	until time.Time     // its pause, after it pushed back
	delay time.Duration // what its robots.txt asks for
}

func appendPace(b []byte, p storedPace) []byte {
	return binary.AppendVarint(binary.AppendVarint(b, unixNano(p.until)), int64(p.delay))
}

// over says whether nothing is left to wait for.
func (p storedPace) over(now time.Time) bool { return p.delay == 0 && !p.until.After(now) }

const minPaces = 1024 // which are not looked through

// oldPaces forgets those that are over, each time there are twice as many as were left, and returns their hosts. It
// requires that mu is held.
func (f *diskFrontier) oldPaces() (hosts []string) {
	if len(f.paces) < max(minPaces, f.pacesLook) {
		return nil
	}
	now := time.Now()
	maps.DeleteFunc(f.paces, func(host string, p storedPace) bool {
		if !p.over(now) {
			return false
		}
		hosts = append(hosts, host)
		return true
	})
	f.pacesLook = 2 * len(f.paces)
	return hosts
}

// setPace changes what outlives the run. The disk learns of changes in the order in which they are made.
func (f *diskFrontier) setPace(host string, change func(*storedPace)) {
	f.pacing.Lock()
	defer f.pacing.Unlock()
	f.mu.Lock()
	pace := f.paces[host]
	change(&pace)
	f.paces[host] = pace
	over := f.oldPaces()
	f.mu.Unlock()
	b := f.store.batch()
	err := b.Set(hostKey(keyPace, host), appendPace(nil, pace), nil)
	for _, host := range over {
		err = errors.Join(err, b.Delete(hostKey(keyPace, host), nil))
	}
	if err == nil {
		err = f.store.commit(b)
	}
	f.fail(err)
}

func (f *diskFrontier) backOff(it *item, asked time.Duration) time.Duration {
	pause := f.schedule.backOff(it, asked)
	until := time.Now().Add(pause)
	f.setPace(it.url.Host(), func(p *storedPace) {
		if until.After(p.until) {
			p.until = until
		}
	})
	return pause
}

func (f *diskFrontier) setDelay(host string, delay time.Duration) {
	f.schedule.setDelay(host, delay)
	f.setPace(host, func(p *storedPace) { p.delay = delay })
}

// recoverPaces lets every host finish the pause, and wait the delay, that it had.
func (f *diskFrontier) recoverPaces() error {
	now := time.Now()
	b := f.store.batch()
	err := f.store.scan([]byte{keyPace}, []byte{keyPace + 1}, func(key, value []byte) (bool, error) {
		r := reader{b: value}
		pace := storedPace{until: fromUnixNano(r.varint()), delay: time.Duration(r.varint())}
		if r.failed {
			return false, damaged(errors.New("a host's pace makes no sense"))
		}
		if pace.over(now) {
			return true, b.Delete(key, nil)
		}
		host := string(key[1:])
		until := now.Add(pace.delay)
		if pace.until.After(until) {
			until = pace.until
		}
		f.paces[host] = pace
		f.hosts.Pause(host, until)
		return true, nil
	})
	if err != nil {
		return err
	}
	return f.store.commit(b)
}

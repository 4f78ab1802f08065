package crawl

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// stagedPage is one that a commit queues.
type stagedPage struct {
	item   *item
	queue  *hostQueue
	packed []byte
	seq    uint64

	admitted bool // it counts as one of its host's pages
}

// commit writes all changes as one batch, and then lets what they queue be handed out: a page that no disk holds yet is
// never asked for.
func (f *diskFrontier) commit(changes []*change, marks []byte) error {
	return f.commitWith(changes, marks, nil)
}

// commitWith is commit with what else goes into the batch.
func (f *diskFrontier) commitWith(changes []*change, marks []byte, also func(*pebble.Batch) error) error {
	b := f.store.batch()
	skipped, admitted, err := f.stage(b, changes)
	if err == nil {
		err = f.number(b, changes)
	}
	if err == nil && marks != nil {
		err = b.Set(keyMarks, marks, nil)
	}
	if err == nil {
		err = f.saveCounts(b, changes)
	}
	if err == nil {
		err = keepBodies(b, changes)
	}
	if err == nil && also != nil {
		err = also(b)
	}
	if err == nil && admitted > 0 {
		f.admitted += admitted
		err = b.Set(keyAdmitted, binary.AppendUvarint(nil, uint64(f.admitted)), nil)
	}
	if err == nil {
		err = f.store.commit(b)
	}
	if err != nil {
		f.fail(err)
		return err
	}
	for h := range f.fresh {
		f.recent[h%recentSlots].Store(h)
		f.filter.add(h)
	}
	clear(f.fresh)
	clear(f.budget.pages) // the disk counts them now
	f.counter.Grow(int64(skipped+f.newPages(changes)), 0)
	for range skipped {
		f.counter.ItemSkipped()
	}
	f.publish(changes)
	return nil
}

// stage finds what is new in the changes.
func (f *diskFrontier) stage(b *pebble.Batch, changes []*change) (skipped, admitted int, err error) {
	f.staged = f.staged[:0]
	for _, c := range changes {
		for _, page := range c.found {
			sitemap := page.item.sitemap > 0
			full := !f.moving && f.full(admitted, page.item.url.Host())
			if full && !page.forbidden && !sitemap {
				continue
			}
			isNew, err := f.admits(page.item)
			switch {
			case err != nil:
				return 0, 0, err
			case !isNew:
			case sitemap:
				if f.sitemapFiles.take() {
					f.staged = append(f.staged, stagedPage{item: page.item})
				}
			case page.forbidden:
				skipped++
			default:
				admitted++
				f.budget.count(page.item.url.Host())
				f.staged = append(f.staged, stagedPage{item: page.item, admitted: true})
			}
		}
		if c.to != (URL{}) && c.item.robots == nil {
			f.staged = append(f.staged, stagedPage{item: c.moved()})
		}
		for _, host := range c.hosts {
			if err := b.Set(hostKey(keyKnown, host.name), host.pack(), nil); err != nil {
				return 0, 0, err
			}
		}
	}
	// In order, each is found from the place of the one before.
	for _, h := range slices.Sorted(maps.Keys(f.fresh)) {
		if err := b.Set(seenKey(h), nil, nil); err != nil {
			return 0, 0, err
		}
	}
	return skipped, admitted, nil
}

// admits notes an item, and says whether it is new.
func (f *diskFrontier) admits(it *item) (bool, error) {
	if it.check {
		if known, err := f.knows(it.url.String()); known || err != nil {
			return false, err
		}
	}
	return f.reserve(it.seenAs(it.url))
}

// newPages returns how many items a commit adds to those that are known.
func (f *diskFrontier) newPages(changes []*change) (n int) {
	for _, s := range f.staged {
		if s.admitted && !s.item.check {
			n++
		}
	}
	for _, c := range changes {
		if c.to != (URL{}) && c.follow {
			n++
		}
	}
	return n
}

// saveCounts counts the sitemaps and checks that a commit queues and takes out, and the sitemaps that there were.
func (f *diskFrontier) saveCounts(b *pebble.Batch, changes []*change) (err error) {
	sitemaps, checks := f.sitemaps, f.checks
	count := func(it *item, n int) {
		if it.sitemap > 0 {
			f.sitemaps += n
		} else if it.check {
			f.checks += n
		}
	}
	for _, s := range f.staged {
		count(s.item, 1)
	}
	for _, c := range changes {
		if c.item != nil {
			count(c.item, -1)
		}
	}
	if f.sitemaps != sitemaps {
		err = b.Set(keySitemaps, binary.AppendUvarint(nil, uint64(f.sitemaps)), nil)
	}
	if err == nil && f.checks != checks {
		err = b.Set(keyChecks, binary.AppendUvarint(nil, uint64(f.checks)), nil)
	}
	if taken := f.sitemapFiles.taken; err == nil && taken != f.takenKept {
		f.takenKept = taken
		err = b.Set(keyTaken, binary.AppendUvarint(nil, uint64(taken)), nil)
	}
	return err
}

// full says whether no more pages of a host are admitted.
func (f *diskFrontier) full(admitted int, host string) bool {
	return f.maxPages > 0 && f.admitted+admitted >= f.maxPages || f.budget.spent(host)
}

// number gives the new pages their places in their hosts' queues, and takes those that are done out.
func (f *diskFrontier) number(b *pebble.Batch, changes []*change) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.touched = f.touched[:0]
	for _, c := range changes {
		if c.item == nil || c.item.robots != nil {
			continue
		}
		q := f.queues[c.item.url.Host()]
		q.stored.remove(c.item.seq)
		f.touch(q)
		if err := b.Delete(queueKey(q.key, c.item.seq), nil); err != nil {
			return err
		}
		if err := f.keepVisit(b, c); err != nil {
			return err
		}
	}
	for i := range f.staged {
		s := &f.staged[i]
		s.queue = f.queue(s.item.url.Host())
		if err := f.load(s.queue); err != nil {
			return err
		}
		s.seq = s.queue.stored.tail
		s.packed = appendItem(nil, s.item)
		s.queue.stored.tail++
		s.queue.stored.live++
		if s.admitted {
			s.queue.stored.admitted++
		}
		f.touch(s.queue)
		if err := b.Set(queueKey(s.queue.key, s.seq), s.packed, nil); err != nil {
			return err
		}
	}
	for _, q := range f.touched {
		q.stored.touched = false
		if err := q.save(b); err != nil {
			return err
		}
	}
	return nil
}

// keepVisit keeps what is known of a page that is done. It requires that mu is held.
func (f *diskFrontier) keepVisit(b *pebble.Batch, c *change) error {
	it := c.item
	if c.to != (URL{}) || it.check || !it.isPage() {
		return nil
	}
	v := c.visit
	if v == nil {
		v = it.visit
	}
	packed, err := appendVisited(nil, it, v)
	if err != nil {
		return err
	}
	return b.Set(visitKey(it.url.Host(), it.seq), packed, nil)
}

// touch notes that a host's record changes. It requires that mu is held.
func (f *diskFrontier) touch(q *hostQueue) {
	if !q.stored.touched {
		q.stored.touched = true
		f.touched = append(f.touched, q)
	}
}

// publish queues what a commit has written, and gives its items back.
func (f *diskFrontier) publish(changes []*change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.staged {
		page := &f.staged[i]
		q, s := page.queue, &page.queue.stored
		s.end = page.seq + 1
		if s.left == 0 && q.pages.n < windowPages && f.packed < windowBytes {
			f.pack(q, page.seq, page.packed)
			s.next = s.end
		} else {
			s.left++
		}
		f.queued++
		f.schedule.schedule(q)
		*page = stagedPage{}
	}
	for _, c := range changes {
		if c.item == nil {
			continue
		}
		if c.to != (URL{}) && c.item.robots != nil {
			f.push(c.moved())
		}
		f.release(c.item)
	}
}

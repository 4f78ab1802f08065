package crawl

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// stagedPage is one that a commit queues.
type stagedPage struct {
	item   *item
	queue  *hostQueue
	packed []byte
	seq    uint64
}

// commit writes all changes as one batch, and then lets what they queue be handed out: a page that no disk holds yet is
// never asked for.
func (f *diskFrontier) commit(changes []*change, marks []byte) error {
	b := f.store.batch()
	skipped, admitted, err := f.stage(b, changes)
	if err == nil {
		err = f.number(b, changes)
	}
	if err == nil && marks != nil {
		err = b.Set(keyMarks, marks, nil)
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
		f.recent[h%recentSlots] = h
	}
	clear(f.fresh)
	f.counter.Grow(int64(skipped+admitted), 0)
	for range skipped {
		f.counter.ItemSkipped()
	}
	f.publish(changes)
	return nil
}

// stage finds what is new in the changes.
func (f *diskFrontier) stage(b *pebble.Batch, changes []*change) (skipped, admitted int, err error) {
	f.staged = f.staged[:0]
	spending := map[string]bool{}
	for _, c := range changes {
		for _, page := range c.found {
			sitemap := page.item.sitemap > 0
			full := f.maxPages > 0 && f.admitted+admitted >= f.maxPages || f.budget.spent(page.item.url.Host())
			if full && !page.forbidden && !sitemap {
				continue
			}
			isNew, err := f.reserve(page.item.seenAs(page.item.url))
			switch {
			case err != nil:
				return 0, 0, err
			case !isNew:
			case sitemap:
				f.staged = append(f.staged, stagedPage{item: page.item})
			case page.forbidden:
				skipped++
			default:
				admitted++
				f.budget.count(page.item.url.Host())
				spending[page.item.url.Host()] = true
				f.staged = append(f.staged, stagedPage{item: page.item})
			}
		}
		if c.to != (URL{}) && c.item.robots == nil {
			f.staged = append(f.staged, stagedPage{item: c.moved()})
		}
		for _, host := range c.hosts {
			known := []byte{0}
			if host.seed {
				known[0] = 1
			}
			if err := b.Set(hostKey(keyKnown, host.name), known, nil); err != nil {
				return 0, 0, err
			}
		}
	}
	if err := f.budget.save(b, spending); err != nil {
		return 0, 0, err
	}
	for h := range f.fresh {
		if err := b.Set(seenKey(h), nil, nil); err != nil {
			return 0, 0, err
		}
	}
	return skipped, admitted, nil
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
	}
	for i := range f.staged {
		s := &f.staged[i]
		s.queue = f.queue(s.item.url.Host())
		s.seq = s.queue.stored.tail
		s.packed = appendItem(nil, s.item)
		s.queue.stored.tail++
		s.queue.stored.live++
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

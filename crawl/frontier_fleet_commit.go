package crawl

import (
	"strconv"
	"strings"

	"pace/limiter/fleet"
)

func (f *fleetFrontier) knows(url string) (bool, error) {
	if f.isRecent(f.hash(url)) {
		return true, nil
	}
	if _, ok := f.fresh[url]; ok {
		return true, nil
	}
	outcomes, err := f.job.Add(f.ctx, fleet.Entry{Kind: fleet.Ask, Key: hostOf(url), Member: f.job.MemberOf([]byte(url))})
	return err == nil && outcomes[0] == fleet.Seen, err
}

func (f *fleetFrontier) reserve(url string) (bool, error) {
	known, err := f.knows(url)
	if err == nil && !known {
		f.fresh[url] = struct{}{}
	}
	return !known, err
}

// hostOf returns the host of what seenAs returned, or nothing for what is no URL.
func hostOf(seen string) string {
	u, ok := parseCanonical(seen[strings.LastIndexByte(seen, ' ')+1:])
	if !ok {
		return ""
	}
	return u.Host()
}

// addition is what a commit adds, and what it is.
type addition struct {
	entries []fleet.Entry
	items   []*item // of the entries; nil for one that is only noted
	skipped []bool  // a robots.txt forbids it
}

func (a *addition) add(e fleet.Entry, it *item, skipped bool) {
	a.entries, a.items, a.skipped = append(a.entries, e), append(a.items, it), append(a.skipped, skipped)
}

// commit adds what the items led to, and then says that they are done: after a crash in between they are fetched again,
// and what they lead to is known. If Redis was restarted in between and may have lost that, they do not count as done.
func (f *fleetFrontier) commit(changes []*change, _ []byte) error {
	era := f.job.Era()
	if f.era != era { // nor may be known what was noted in the last one
		for i := range f.recent {
			f.recent[i].Store(0)
		}
		f.era = era
	}
	for _, c := range changes {
		if err := f.tellHosts(f.ctx, c.hosts); err != nil {
			return f.failed(err)
		}
	}
	a := f.additions(changes)
	if len(a.entries) > 0 {
		if err := f.addAll(a); err != nil {
			return f.failed(err)
		}
	}
	clear(f.fresh)
	for _, c := range changes {
		if c.to != (URL{}) && c.follow {
			f.counter.Grow(1, 0)
		}
	}
	if err := f.acknowledge(changes, era); err != nil {
		return f.failed(err)
	}
	f.publish(changes)
	return nil
}

func (f *fleetFrontier) failed(err error) error {
	f.fail(err)
	return err
}

// additions returns what the changes add.
func (f *fleetFrontier) additions(changes []*change) *addition {
	a := &addition{}
	version := f.version.Load()
	moved := map[string]bool{}
	for _, c := range changes {
		for _, page := range c.found {
			it := page.item
			seen := it.seenAs(it.url)
			if f.isRecent(f.hash(seen)) || it.check && f.isRecent(f.hash(it.url.String())) {
				continue
			}
			e := fleet.Entry{Kind: fleet.IfNew, Key: it.url.Host(), Member: f.job.MemberOf([]byte(seen))}
			if it.sitemap > 0 && f.sitemapFiles.spent() {
				continue
			}
			if page.forbidden {
				e.Kind = fleet.Note
				a.add(e, it, true)
				continue
			}
			if it.check {
				e.Unless = f.job.MemberOf([]byte(it.url.String()))
			}
			if it.sitemap == 0 {
				e.Kind, e.Limit = fleet.Counted, f.budget.most
			}
			if it.seed && it.sitemap == 0 { // the user named it: nobody would tell of it again
				e.Kind = fleet.Wanted
			}
			e.Payload = packFleet(version, it)
			a.add(e, it, false)
		}
		if c.to != (URL{}) && c.item.robots == nil {
			it := c.moved()
			seen := it.seenAs(it.url)
			moved[seen] = true
			a.add(fleet.Entry{
				Kind: fleet.Always, Key: it.url.Host(), Member: f.job.MemberOf([]byte(seen)), Payload: packFleet(version, it),
			}, nil, false)
		}
	}
	for url := range f.fresh {
		if !moved[url] {
			a.add(fleet.Entry{Kind: fleet.Note, Key: hostOf(url), Member: f.job.MemberOf([]byte(url))}, nil, false)
		}
	}
	return a
}

// addAll adds to the job, within what it may have, and counts what is new.
func (f *fleetFrontier) addAll(a *addition) error {
	outcomes, err := f.job.Add(f.ctx, a.entries...)
	if err != nil {
		return err
	}
	f.mu.Lock()
	for i, outcome := range outcomes {
		if outcome != fleet.Added || a.entries[i].Kind == fleet.Note {
			continue
		}
		if h := f.holds[a.entries[i].Key]; h != nil {
			h.dry, h.fed = false, true
		} else {
			f.hungry.Store(true)
		}
	}
	f.mu.Unlock()
	for i, outcome := range outcomes {
		f.count(a, i, outcome)
	}
	f.wakeSteward()
	return nil
}

// count counts what became of an entry.
func (f *fleetFrontier) count(a *addition, i int, outcome fleet.Outcome) {
	e, it := &a.entries[i], a.items[i]
	if outcome == fleet.Added || outcome == fleet.Seen {
		h := e.Member.Hash()
		f.recent[h%recentSlots].Store(h)
	}
	switch {
	case it == nil:
	case outcome == fleet.Spent:
		f.budget.tellOnce(e.Key)
	case outcome == fleet.Full:
		f.tellFull(e.Key)
	case outcome != fleet.Added:
	case it.sitemap > 0:
		f.sitemapFiles.take()
	default:
		if !it.check || a.skipped[i] {
			f.counter.Grow(1, 0)
		}
		if a.skipped[i] {
			f.counter.ItemSkipped()
		}
	}
}

// acknowledge says that items are done, and asks for more of their hosts' pages where few are left.
func (f *fleetFrontier) acknowledge(changes []*change, era int64) error {
	acks := map[*hold]*fleet.Acked{}
	var all []*fleet.Acked
	f.mu.Lock()
	for _, c := range changes {
		it := c.item
		if it == nil || it.robots != nil || f.check(it) != nil {
			continue
		}
		a := acks[it.hold]
		if a == nil {
			a = &fleet.Acked{Lease: it.hold.lease, Want: f.want(it.hold), Era: era}
			acks[it.hold], all = a, append(all, a)
		}
		a.IDs, a.Bytes = append(a.IDs, strconv.FormatUint(it.seq, 10)), a.Bytes+c.bytes
	}
	f.mu.Unlock()
	if len(all) == 0 {
		return nil
	}
	if err := f.job.Ack(f.ctx, all...); err != nil {
		return err
	}
	for _, a := range all {
		if a.Lost {
			continue
		}
		if err := f.more(a); err != nil {
			return err
		}
	}
	return nil
}

// want returns how many pages more of a host to ask for. It requires that mu is held.
func (f *fleetFrontier) want(h *hold) int {
	q := f.queues[h.host]
	if h.over || h.lease.Wished() || h.dry || h.asked || q == nil || q.pages.n > leaseItems/2 || f.err != nil {
		return 0
	}
	if len(f.holds) > f.mostHosts() {
		return 0 // another worker is to have it, as soon as these are done
	}
	h.ask()
	return leaseItems - q.pages.n
}

// publish gives the items back, and moves each robots.txt that was redirected.
func (f *fleetFrontier) publish(changes []*change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range changes {
		if c.item == nil {
			continue
		}
		if c.to != (URL{}) && c.item.robots != nil {
			if host := c.to.Host(); f.holds[host] == nil {
				f.park(f.queue(host))
			}
			f.push(c.moved())
		}
		f.release(c.item)
	}
	f.wakeSteward()
}

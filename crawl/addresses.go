package crawl

import (
	"sync"
	"time"

	"pace/limiter"
)

// addresses holds the pace of addresses beside that of hosts: all hosts of one address share its rate and its requests in
// flight. It belongs to a frontier, whose mu its methods require.
//
// A host's address is looked up when its queue comes to the head of the frontier's heap, on a goroutine that is no
// worker's. Hosts that their address keeps waiting stand in line behind it, and only the first in line, the scout, is in
// the heap, for the time at which the address is free: so each start costs the same, however many hosts there are.
type addresses struct {
	pace   *limiter.Hosts
	find   func(it *item) string // may take long
	lines  map[string]*addressLine
	claims map[*item]string // the addresses of those in flight
	asking int              // lookups that run
	later  []locating       // those that wait for one of them to end
	wg     sync.WaitGroup
}

// addressLine is the hosts that wait for one address.
type addressLine struct {
	waiting []*hostQueue
	scout   *hostQueue // out of the line, and tried next; nil for none
	parked  bool       // the scout waits for something in flight to start or end
}

// standing is where a host queue stands with its address.
type standing struct {
	address string // empty if it is not known
	asking  bool   // its lookup runs or waits to run
	found   time.Time
	inLine  bool
}

// maxLookups is how many lookups run at once.
const maxLookups = 32

func newAddresses(perSecond float64, atOnce int, find func(it *item) string) *addresses {
	return &addresses{
		pace: limiter.NewHosts(perSecond, atOnce), find: find,
		lines: map[string]*addressLine{}, claims: map[*item]string{},
	}
}

// located says whether the address of a host is known, and has it looked up if it is not. The host is blocked then.
func (f *schedule) located(q *hostQueue, first *item, now time.Time) bool {
	a := f.addresses
	switch {
	case a == nil || q.inLine || a.isScout(q):
		return true
	case q.asking:
		q.blocked = true
		return false
	case q.address != "" && now.Sub(q.found) < dnsFor:
		return true
	}
	q.asking, q.blocked = true, true
	job := locating{q: q, first: *first}
	if a.asking < maxLookups {
		f.locate(job)
	} else {
		a.later = append(a.later, job)
	}
	return false
}

// locating is a lookup to do.
type locating struct {
	q     *hostQueue
	first item // of the host: it has the port
}

// locate looks up the address of a host, and then lets it be asked again.
func (f *schedule) locate(job locating) {
	a := f.addresses
	a.asking++
	a.wg.Go(func() {
		address := a.find(&job.first)
		f.mu.Lock()
		defer f.mu.Unlock()
		a.asking--
		job.q.asking, job.q.address, job.q.found = false, address, time.Now()
		f.unblock(job.q)
		if len(a.later) > 0 {
			next := a.later[0]
			a.later = a.later[1:]
			f.locate(next)
		}
	})
}

func (a *addresses) isScout(q *hostQueue) bool {
	l := a.lines[q.address]
	return l != nil && l.scout == q
}

// claim asks for the start of an operation on a host, and on its address. A zero time means after something has happened
// that unblocks the host.
func (f *schedule) claim(q *hostQueue, now time.Time) (due time.Time, ok bool) {
	a := f.addresses
	if a == nil {
		return f.hosts.Claim(q.key, now)
	}
	l := a.lines[q.address]
	if l != nil && l.scout != q {
		if !q.inLine {
			q.inLine = true
			l.waiting = append(l.waiting, q)
		}
		return time.Time{}, false
	}
	if due, ok = f.hosts.Claim(q.key, now); !ok {
		f.passTurn(q)
		return due, false
	}
	if due, ok = a.pace.Claim(q.address, now); !ok {
		f.hosts.Release(q.key, false)
		if l == nil {
			l = &addressLine{}
			a.lines[q.address] = l
		}
		// With no time to come back at, what is in flight calls it when that starts or ends.
		l.scout, l.parked = q, due.IsZero()
		return due, false
	}
	if l != nil {
		if l.scout = nil; len(l.waiting) == 0 {
			delete(a.lines, q.address)
		}
	}
	return due, true
}

// passTurn lets the next in line go in the place of a host that has nothing to start now.
func (f *schedule) passTurn(q *hostQueue) {
	if a := f.addresses; a != nil && a.isScout(q) {
		l := a.lines[q.address]
		l.scout, l.parked = nil, false
		f.callScout(q.address)
	}
}

// callScout calls the first in line, if nobody is called already. It is called whenever an operation on the address has
// started or ended: as long as hosts stand in line there is one in flight, or a scout.
func (f *schedule) callScout(address string) {
	a := f.addresses
	l := a.lines[address]
	switch {
	case l == nil:
		return
	case l.scout != nil && !l.parked:
		return
	case l.scout == nil && len(l.waiting) == 0:
		delete(a.lines, address)
		return
	case l.scout == nil:
		l.scout = l.waiting[0]
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		l.scout.inLine = false
	}
	l.parked = false
	f.unblock(l.scout)
}

// claimedAddress notes which address an item claimed that is handed out.
func (f *schedule) claimedAddress(it *item, q *hostQueue) {
	if f.addresses != nil && it.claimed {
		f.addresses.claims[it] = q.address
	}
}

// addressStarted says that the request of an item has been written.
func (f *schedule) addressStarted(it *item, now time.Time) {
	if f.addresses != nil {
		address := f.addresses.claims[it]
		f.addresses.pace.Started(address, now)
		f.callScout(address)
	}
}

// releaseAddress ends an item's claim on its address.
func (f *schedule) releaseAddress(it *item) {
	if f.addresses != nil {
		address := f.addresses.claims[it]
		delete(f.addresses.claims, it)
		f.addresses.pace.Release(address, it.started)
		f.callScout(address)
	}
}

// setAddresses gives addresses a pace. It must be called before anything is handed out.
func (f *schedule) setAddresses(a *addresses) { f.addresses = a }

// waitForLookups returns when no lookup runs any more. It does not require mu.
func (f *schedule) waitForLookups() {
	if f.addresses != nil {
		f.addresses.wg.Wait()
	}
}

package crawl

import (
	"container/heap"
	"fmt"
	"time"

	"pace/limiter/fleet"
)

// steward leases hosts as long as there is room for them, asks for more of their pages, and gives those back that have
// none.
func (f *fleetFrontier) steward() {
	var turn stewardTurns
	wait := time.Duration(0)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-f.kick:
			timer.Stop()
		case <-f.ctx.Done():
			timer.Stop()
			return
		}
		var err error
		if wait, err = f.tend(&turn); err != nil {
			f.fail(err)
			return
		}
		if f.ended() {
			return
		}
	}
}

func (f *fleetFrontier) ended() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err != nil
}

// stewardTurns are when the steward asks again what others do.
type stewardTurns struct {
	lease   time.Time // for hosts; before, only if this process added to one that it has not
	claim   time.Time
	orphans time.Time
}

// tend does what there is to do now, and returns how long nothing else can be.
func (f *fleetFrontier) tend(turn *stewardTurns) (time.Duration, error) {
	if err := f.keepPlanted(); err != nil {
		return 0, err
	}
	acks, released, wait := f.survey(time.Now())
	if err := f.job.Release(f.ctx, released...); err != nil {
		return 0, err
	}
	if len(acks) > 0 {
		if err := f.job.Ack(f.ctx, acks...); err != nil {
			return 0, err
		}
		for _, a := range acks {
			if err := f.more(a); err != nil {
				return 0, err
			}
		}
		return 0, nil
	}
	if now := time.Now(); !now.Before(turn.claim) {
		turn.claim = now.Add(fleetPoll)
		if claimed, err := f.claimForRobots(); claimed || err != nil {
			return 0, err
		}
	}
	if now := time.Now(); !f.hungry.Swap(false) && now.Before(turn.lease) {
		return min(wait, turn.lease.Sub(now)), nil
	}
	a, err := f.job.Lease(f.ctx, f.wanted(), leaseItems)
	if err != nil {
		return 0, err
	}
	for _, l := range a.Leases {
		if err := f.admit(l.Lease, l.Items); err != nil {
			return 0, err
		}
	}
	f.setFair(a.Keys)
	switch {
	case len(a.Leases) > 0:
		return 0, nil
	case a.State == fleet.Draining:
		f.end(true)
		return 0, nil
	case a.Added == a.Done && a.Added > 0 && a.State != fleet.Quiet:
		if done, err := f.job.Done(f.ctx); done || err != nil {
			f.end(false)
			return 0, err
		}
	case a.Keys == 0 && time.Since(turn.orphans) > orphanPoll:
		turn.orphans = time.Now()
		if err := f.checkOrphans(); err != nil {
			return 0, err
		}
	}
	pause := fleetPoll
	if a.Wait >= 0 {
		pause = min(pause, max(a.Wait, time.Millisecond))
	}
	turn.lease = time.Now().Add(pause)
	return min(wait, pause), nil
}

// wanted returns how many hosts to lease.
func (f *fleetFrontier) wanted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(0, min(leaseHosts, f.mostHosts()-len(f.holds)))
}

// mostHosts returns how many hosts this worker is to have. It requires that mu is held.
func (f *fleetFrontier) mostHosts() int {
	if f.fair > 0 {
		return min(f.maxHosts, f.fair)
	}
	return f.maxHosts
}

// setFair divides the hosts that have pages among the workers.
func (f *fleetFrontier) setFair(keys int) {
	peers := f.job.Peers()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fair = 0
	if peers > 1 {
		f.fair = max(1, (keys+peers-1)/peers)
	}
}

// survey finds the hosts to ask for more pages of, and those to give back.
func (f *fleetFrontier) survey(now time.Time) (acks []*fleet.Acked, released []fleet.Released, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	wait = fleetPoll
	surplus := len(f.holds) - f.mostHosts()
	// A little too many hosts end by themselves. Many, as when others have just come, would keep those waiting until all
	// that is here of them is done.
	hurry := surplus > f.mostHosts()/8
	for host, h := range f.holds {
		q := f.queues[host]
		if h.lease.Wished() {
			if q != nil && q.busy > 0 {
				f.park(q) // what is in flight ends first
				continue
			}
			rest := f.rest(host, now)
			f.drop(h)
			released = append(released, fleet.Released{Lease: h.lease, After: rest, Gap: h.delay})
			continue
		}
		n := 0
		if q != nil {
			n = q.pages.n
		}
		if h.asked {
			continue
		}
		if n <= leaseItems/2 && !h.dry && surplus <= 0 {
			h.ask()
			acks = append(acks, &fleet.Acked{Lease: h.lease, Want: leaseItems - n})
			continue
		}
		if q != nil && !q.idle() && (!hurry || surplus <= 0 || !q.onlyPages()) {
			continue
		}
		rest := f.rest(host, now)
		if rest > 0 && rest <= f.linger && surplus <= 0 {
			// A page of it may come before its time, and the connection is warm.
			wait = min(wait, rest)
			continue
		}
		surplus--
		f.drop(h)
		f.hungry.Store(true)
		released = append(released, fleet.Released{Lease: h.lease, After: rest, Gap: h.delay})
	}
	return acks, released, wait
}

// admit takes a leased host into the schedule.
func (f *fleetFrontier) admit(l *fleet.Lease, items []fleet.Item) error {
	packed, err := f.unpackAll(items)
	if err != nil {
		return err
	}
	f.mu.Lock()
	h := &hold{lease: l, host: l.Key, delay: l.Gap}
	f.holds[h.host] = h
	if h.delay > 0 {
		f.hosts.SetDelay(h.host, h.delay)
	}
	f.enqueue(h, items, packed)
	h.dry = false // of what comes later nobody is told
	f.mu.Unlock()
	if l.Check() != nil {
		f.lose(l) // it ended before the schedule knew of it
	}
	return nil
}

// more takes what an ack brought.
func (f *fleetFrontier) more(a *fleet.Acked) error {
	packed, err := f.unpackAll(a.More)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := f.holds[a.Lease.Key]; h != nil && h.lease == a.Lease {
		f.enqueue(h, a.More, packed)
		if a.Want > 0 {
			h.asked = false
			h.dry = h.dry || len(a.More) < a.Want && !h.fed
		}
	}
	return nil
}

// ask notes that more is asked for. It requires that mu is held.
func (h *hold) ask() { h.asked, h.fed = true, false }

// unpackAll returns the items as a schedule has them, when all is known that they need.
func (f *fleetFrontier) unpackAll(items []fleet.Item) ([][]byte, error) {
	packed := make([][]byte, len(items))
	for i, item := range items {
		version, it, err := unpackFleet(item.Payload)
		if err == nil {
			_, err = unpackItem(it)
		}
		if err == nil {
			err = f.catchUp(f.ctx, version)
		}
		if err != nil {
			return nil, err
		}
		packed[i] = it
	}
	return packed, nil
}

// enqueue queues pages of a host that is held. It requires that mu is held.
func (f *fleetFrontier) enqueue(h *hold, items []fleet.Item, packed [][]byte) {
	if len(items) == 0 && f.queues[h.host] == nil {
		return
	}
	q := f.queue(h.host)
	q.parked = false
	for i, it := range packed {
		f.pack(q, seqOf(items[i].ID), it)
		f.queued++
	}
	f.schedule.schedule(q)
}

// park keeps a host from being asked: it is not held. It requires that mu is held.
func (f *fleetFrontier) park(q *hostQueue) {
	q.parked = true
	if q.index >= 0 {
		heap.Remove(&f.ready, q.index)
	}
}

// claimForRobots leases hosts that a robots.txt is to be fetched from for the pages of another, which redirects there.
// It says whether it did.
func (f *fleetFrontier) claimForRobots() (claimed bool, err error) {
	var hosts []string
	f.mu.Lock()
	for host, q := range f.queues {
		if q.parked && len(q.robots) > 0 && f.holds[host] == nil {
			hosts = append(hosts, host)
		}
	}
	f.mu.Unlock()
	for _, host := range hosts {
		l, err := f.job.Claim(f.ctx, host)
		if err == nil && l != nil {
			claimed, err = true, f.admit(l, nil)
		}
		if err != nil {
			return claimed, err
		}
	}
	return claimed, nil
}

// checkOrphans returns an error if nothing is left to do but to read on a list whose reader is gone.
func (f *fleetFrontier) checkOrphans() error {
	orphans, err := f.job.Orphans(f.ctx)
	if err != nil {
		return err
	}
	c, err := f.job.Counts(f.ctx)
	if err == nil {
		err = f.checkLost(c)
	}
	if err != nil || len(orphans) == 0 || int64(len(orphans)) < c.Sources || c.Pending() > 0 {
		return err
	}
	for _, worker := range orphans {
		return fmt.Errorf("the worker %s ended before all of its URLs were queued: start the job with the same URLs again, "+
			"or end it with pace fleet delete", worker)
	}
	return nil
}

// checkLost returns an error if the server has lost items: they are not done, no host has any, and nothing has changed
// since this was found before. Of several partitions, read one after the other, a single look can miss what moved.
func (f *fleetFrontier) checkLost(c fleet.Counts) error {
	lost := c.Pending() != 0 && c.Keys == 0 && c.Sources == 0
	if lost && c == f.lost {
		if c.Pending() < 0 {
			return fleet.ErrTorn
		}
		return fmt.Errorf("redis has lost %d of the job's pages, as one that evicts keys does: the others are done; "+
			"remove the job with pace fleet delete", c.Pending())
	}
	f.lost = fleet.Counts{}
	if lost {
		f.lost = c
	}
	return nil
}

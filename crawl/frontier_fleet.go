package crawl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"

	"pace/limiter"
	"pace/limiter/fleet"
	"pace/limiter/progress"
)

const (
	leaseHosts  = 32 // asked for at once
	leaseItems  = 10 // of a host in memory, by and large
	fleetPoll   = 250 * time.Millisecond
	orphanPoll  = 5 * time.Second
	endPatience = 5 * time.Second // for giving leases back at the end
)

// fleetFrontier is a frontier that many processes share. Hosts are leased from a job, each with a few of its pages; what
// is here of it is a schedule like the other frontiers', so that the pace of a host is kept where its lease is.
//
// A page is done when the job says so, which is after what it led to was added and what the outputs keep of it was
// written. A page that was handed out and never done goes to whoever leases its host next.
type fleetFrontier struct {
	schedule
	job      *fleet.Job
	maxHosts int           // leased at once
	linger   time.Duration // a host without pages is kept for, if it has to rest anyway
	learn    func(knownHost)
	tellFull func(host string) // is told of pages that are left out because too many wait

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	kick   chan struct{} // wakes the steward
	hungry atomic.Bool   // it is to ask for hosts at once

	recent [recentSlots]atomic.Uint64 // fingerprints that are noted
	era    int64                      // of the job, in which they were; used by commit alone

	holds   map[string]*hold // by host; guarded by mu, as are the next
	fair    int              // hosts that are this worker's share; 0 is unknown
	drained bool

	learning  sync.Mutex
	version   atomic.Int64 // of what workers tell each other, as far as it is known here; written with learning held
	learnedIn atomic.Int64 // the era that it is of; as version

	plantedIn int64                       // the era in which the seeds were queued; guarded by mu, as is replant
	replant   func(context.Context) error // queues them again; nil before they are queued

	lost fleet.Counts // what a job that lost items had when it was last looked at; of the steward

	fresh map[string]struct{} // reserved, and not yet committed; of the one who calls reserve or commit
}

// hold is a host that this process has leased.
type hold struct {
	lease *fleet.Lease
	host  string
	delay time.Duration // that its robots.txt asks for; guarded by the frontier's mu, as are the next
	dry   bool          // there was no more to have when it was last asked for
	asked bool          // someone asks for more: two answers could come in the wrong order
	fed   bool          // since it was asked, something was added
	over  bool
}

// newFleetFrontier returns the frontier of a job, of which it leases at most maxHosts hosts. learn is told of hosts that
// other workers let into the scope. The job is closed with the frontier.
func newFleetFrontier(
	job *fleet.Job, hosts *limiter.Hosts, maxHosts int, counter *progress.Counter,
	gate func(*item) *item, learn func(knownHost),
) (*fleetFrontier, error) {
	f := &fleetFrontier{
		schedule: newSchedule(hosts, counter, gate), job: job, maxHosts: maxHosts, learn: learn,
		linger: job.Lasts(),
		kick:   make(chan struct{}, 1), holds: map[string]*hold{}, fresh: map[string]struct{}{},
	}
	f.open = true
	f.handed = f.hand
	f.ctx, f.cancel = context.WithCancel(context.Background())
	job.OnLost(f.lose)
	if err := f.catchUp(f.ctx, 1); err != nil {
		f.cancel()
		return nil, err
	}
	f.wg.Go(f.steward)
	return f, nil
}

// hash returns the fingerprint of a URL.
func (f *fleetFrontier) hash(url string) uint64 { return xxh3.HashStringSeed(url, f.job.Record().Seed) }

func (f *fleetFrontier) fingerprint(url []byte) uint64 {
	return xxh3.HashSeed(url, f.job.Record().Seed)
}

// noted knows of what was met lately, here.
func (f *fleetFrontier) noted(links []pageLink) {
	for i := range links {
		if l := &links[i]; l.isNew {
			l.noted = f.isRecent(l.slot.hash)
		}
	}
}

func (f *fleetFrontier) isRecent(h uint64) bool { return f.recent[h%recentSlots].Load() == h }

// hand notes under which lease an item is handed out. It requires that mu is held.
func (f *fleetFrontier) hand(it *item) {
	host := it.url.Host()
	it.hold = f.holds[host]
	if h := it.hold; h != nil && !h.dry && f.queues[host].pages.n <= leaseItems/2 {
		f.wakeSteward()
	}
}

// check asks the fence of the item's lease.
func (f *fleetFrontier) check(it *item) error {
	if it.hold == nil {
		return fleet.ErrLost
	}
	return it.hold.lease.Check()
}

func (f *fleetFrontier) bind(ctx context.Context, it *item) (context.Context, context.CancelFunc) {
	if it.hold == nil {
		return ctx, func() {}
	}
	return it.hold.lease.Bind(ctx)
}

// giveUp forgets an item: the job has it. A robots.txt is this process's own, and waits until the host is leased again.
func (f *fleetFrontier) giveUp(it *item) { f.retry(it, it.notBefore) }

// retry keeps the item in memory: the next try is this worker's, as long as the host is.
func (f *fleetFrontier) retry(it *item, notBefore time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if it.robots != nil || it.hold != nil && !it.hold.over {
		next := *it
		next.notBefore = notBefore
		f.push(&next)
	}
	f.release(it)
	f.wakeSteward()
}

// backOff tells the job too, so that the pause outlives this process.
func (f *fleetFrontier) backOff(it *item, asked time.Duration) time.Duration {
	pause := f.schedule.backOff(it, asked)
	f.tell(it.url.Host(), pause)
	return pause
}

func (f *fleetFrontier) setDelay(host string, delay time.Duration) {
	f.schedule.setDelay(host, delay)
	f.mu.Lock()
	if h := f.holds[host]; h != nil {
		h.delay = delay
	}
	f.mu.Unlock()
	f.tell(host, 0)
}

// tell lets the job know the pace of a host that stays leased.
func (f *fleetFrontier) tell(host string, pause time.Duration) {
	f.mu.Lock()
	h := f.holds[host]
	if h == nil {
		f.mu.Unlock()
		return
	}
	told := fleet.Released{Lease: h.lease, After: pause, Gap: h.delay, Keep: true}
	f.mu.Unlock()
	f.fail(f.job.Release(f.ctx, told))
}

// lose forgets the pages of a host whose lease has ended by itself.
func (f *fleetFrontier) lose(l *fleet.Lease) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := f.holds[l.Key]; h != nil && h.lease == l {
		f.drop(h)
	}
	f.wakeSteward()
}

// drop takes a host that is held no more out of the schedule, with its pages. A robots.txt stays: pages of other hosts may
// wait for what comes of it. It requires that mu is held.
func (f *fleetFrontier) drop(h *hold) {
	h.over = true
	delete(f.holds, h.host)
	q := f.queues[h.host]
	if q == nil {
		return
	}
	f.queued -= q.pages.n + len(q.retries)
	f.packed -= q.pages.bytes
	q.pages, q.retries = packedQueue{}, nil
	f.park(q)
	if q.idle() {
		delete(f.queues, q.key)
	}
	f.changed()
}

// fail ends the frontier if err is not nil: next returns it.
func (f *fleetFrontier) fail(err error) {
	if err == nil || f.ctx.Err() != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		f.changed()
	}
}

// end lets next return io.EOF.
func (f *fleetFrontier) end(drained bool) {
	f.mu.Lock()
	f.drained = drained
	f.mu.Unlock()
	f.fail(io.EOF)
}

func (f *fleetFrontier) wakeSteward() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// close gives all leases back, each with the time that its host has to rest, and leaves the job. If the job cannot be
// reached that is no error: the leases run out.
func (f *fleetFrontier) close() error {
	patience := endPatience
	if f.ctx.Err() != nil {
		patience = time.Second // the run has waited for the job in vain
	}
	f.cancel()
	f.wg.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var released []fleet.Released
	f.mu.Lock()
	now := time.Now()
	for _, h := range f.holds {
		released = append(released, fleet.Released{Lease: h.lease, After: f.rest(h.host, now), Gap: h.delay})
	}
	f.mu.Unlock()
	err := f.job.Release(ctx, released...)
	if errors.Is(err, fleet.ErrGone) {
		err = nil
	}
	if closeErr := f.job.Close(ctx); err == nil {
		err = closeErr
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// rest returns how long a host has to wait for its next start. It requires that mu is held.
func (f *fleetFrontier) rest(host string, now time.Time) time.Duration {
	at, ok := f.hosts.Claim(host, now)
	if ok {
		f.hosts.Release(host, false)
		return 0
	}
	return max(0, at.Sub(now))
}

// pack and unpack put what a worker has to know of the job before it can do an item in front of the item.
func packFleet(version int64, it *item) []byte {
	return appendItem(binary.AppendUvarint(nil, uint64(version)), it)
}

func unpackFleet(payload []byte) (version int64, packed []byte, err error) {
	v, n := binary.Uvarint(payload)
	if n <= 0 {
		return 0, nil, fmt.Errorf("the job's items make no sense: %w", errPacked)
	}
	return int64(v), payload[n:], nil
}

// catchUp learns what other workers have told, if it is not known up to a version.
func (f *fleetFrontier) catchUp(ctx context.Context, version int64) error {
	era := f.job.Era()
	if f.version.Load() >= version && f.learnedIn.Load() == era {
		return nil
	}
	f.learning.Lock()
	defer f.learning.Unlock()
	shared, now, err := f.job.Shared(ctx)
	if err != nil {
		return err
	}
	for name, value := range shared {
		if value != "" {
			f.learn(unpackKnown(name, []byte(value)))
		}
	}
	if f.learnedIn.Swap(era) == era {
		now = max(now, f.version.Load())
	}
	f.version.Store(now)
	return nil
}

// plantAgain sets what queues the seeds again, which were queued in an era, when a restarted Redis may have lost them.
func (f *fleetFrontier) plantAgain(era int64, replant func(context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plantedIn, f.replant = era, replant
}

// keepPlanted queues the seeds again in a new era. Nothing is leased at its beginning, and so the job cannot end before.
func (f *fleetFrontier) keepPlanted() error {
	era := f.job.Era()
	f.mu.Lock()
	replant := f.replant
	if f.plantedIn == era {
		replant = nil
	}
	f.plantedIn = era
	f.mu.Unlock()
	if replant == nil {
		return nil
	}
	return replant(f.ctx)
}

// tellHosts lets all workers know of hosts that links may lead to.
func (f *fleetFrontier) tellHosts(ctx context.Context, hosts []knownHost) error {
	if len(hosts) == 0 {
		return nil
	}
	values := map[string]string{}
	for _, host := range hosts {
		values[host.name] = string(host.pack())
	}
	f.learning.Lock()
	defer f.learning.Unlock()
	version, err := f.job.Share(ctx, values)
	f.version.Store(max(version, f.version.Load()))
	return err
}

// seqOf returns the number that the job gave to an item.
func seqOf(id string) uint64 {
	seq, _ := strconv.ParseUint(id, 10, 64) // our own scripts' number
	return seq
}

var _ frontier = (*fleetFrontier)(nil)

package fleet

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Lease is a key that this worker holds, with the items of it that were handed out.
type Lease struct {
	Key  string
	Gap  time.Duration // that the last holder kept between starts; 0 if none was told
	Note string        // what the last holder left

	wished    atomic.Bool
	job       *Job
	token     string
	partition int

	mu       sync.Mutex
	deadline time.Duration // on the clock that counts suspended time
	timer    *time.Timer
	over     bool

	ctx    context.Context
	cancel context.CancelCauseFunc
}

// Item is something to do on a key.
type Item struct {
	ID       string
	Attempts int // that came before and never ended
	Payload  []byte
}

// Leased is a lease and its first items.
type Leased struct {
	*Lease
	Items []Item
}

// Answer is what asking for leases came to.
type Answer struct {
	Leases []Leased
	// State is empty while the job runs, and else why nothing is leased: [Paused], [Draining], or [Quiet].
	State string
	// Wait is how long it is until a key may be leased, as far as is known now; negative if none waits for its time.
	Wait time.Duration
	// Keys are those with items or a lease.
	Keys int
	// Added and Done are items.
	Added, Done int64
}

// Lease asks for up to keys leases, with up to items of each. The partitions are asked in turn until one has enough.
func (j *Job) Lease(ctx context.Context, keys, items int) (Answer, error) {
	all := Answer{Wait: -1}
	first := j.nextPartition()
	for i := range j.record.Partitions {
		a, err := j.leaseIn(ctx, (first+i)%j.record.Partitions, max(0, keys-len(all.Leases)), items)
		all.Leases = append(all.Leases, a.Leases...)
		if err != nil {
			return all, err
		}
		if a.State != "" {
			all.State = a.State
		}
		if a.Wait >= 0 && (all.Wait < 0 || a.Wait < all.Wait) {
			all.Wait = a.Wait
		}
		all.Keys += a.Keys
		all.Added += a.Added
		all.Done += a.Done
	}
	return all, nil
}

// Wished says whether another worker waits for the key, as the server said at the last renewal: it is to be given back
// soon, and then nobody but a worker that claims it has it for a while.
func (l *Lease) Wished() bool { return l.wished.Load() }

// Claim asks for the lease of one key, without items. It returns nil if the key is another worker's or has to rest; its
// holder is asked to give it back.
func (j *Job) Claim(ctx context.Context, key string) (*Lease, error) {
	partition := j.partitionOf(key)
	before := sinceBoot()
	reply, err := j.once(ctx, claimScript, partition, j.record.ID, j.worker, j.o.Lease.Milliseconds(), key,
		j.o.Gap.Milliseconds())
	if err != nil {
		if ctx.Err() == nil && passing(err) {
			return nil, nil // the caller asks again anyway
		}
		return nil, err
	}
	values, err := list(reply, 0)
	if err != nil || len(values) < 3 {
		return nil, err
	}
	l := j.newLease(partition, key, text(values[0]), before)
	l.Gap, l.Note = time.Duration(number(values[1]))*time.Millisecond, text(values[2])
	return l, nil
}

// nextPartition returns where to ask first, so that no partition is always the last.
func (j *Job) nextPartition() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.turn++
	return j.turn % j.record.Partitions
}

// leaseIn asks one partition. It is not repeated by itself after a lost reply: leases of which nobody knows end with
// their time.
func (j *Job) leaseIn(ctx context.Context, partition, keys, items int) (Answer, error) {
	var before time.Duration
	var reply any
	err := j.retry(ctx, "use", func(ctx context.Context) (err error) {
		before = sinceBoot()
		reply, err = j.once(ctx, leaseScript, partition, j.record.ID, j.worker, j.o.Lease.Milliseconds(), keys, items,
			j.o.MaxAttempts, j.o.Gap.Milliseconds())
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	values, err := list(reply, 6)
	if err != nil {
		return Answer{}, err
	}
	j.learn(partition, text(values[5]))
	a := Answer{
		State: text(values[0]), Wait: time.Duration(number(values[1])) * time.Millisecond,
		Keys: int(number(values[2])), Added: number(values[3]), Done: number(values[4]),
	}
	for _, value := range values[6:] {
		parts, err := list(value, 4)
		if err != nil {
			return a, err
		}
		l := j.newLease(partition, text(parts[0]), text(parts[1]), before)
		l.Gap, l.Note = time.Duration(number(parts[2]))*time.Millisecond, text(parts[3])
		a.Leases = append(a.Leases, Leased{Lease: l, Items: itemsOf(parts[4:])})
	}
	return a, nil
}

// itemsOf reads items: a number, attempts and a payload each.
func itemsOf(parts []any) []Item {
	items := make([]Item, 0, len(parts)/3)
	for ; len(parts) >= 3; parts = parts[3:] {
		attempts, _ := strconv.Atoi(text(parts[1])) // our own number
		items = append(items, Item{ID: text(parts[0]), Attempts: attempts, Payload: []byte(text(parts[2]))})
	}
	return items
}

// newLease begins to hold a key. The lease counts from a moment before the server was asked, so that this side sees it
// end before the server does.
func (j *Job) newLease(partition int, key, token string, before time.Duration) *Lease {
	l := &Lease{Key: key, job: j, token: token, partition: partition, deadline: before + j.o.Lease}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.mu.Lock()
	l.timer = time.AfterFunc(l.deadline-sinceBoot(), l.ring)
	l.mu.Unlock()
	j.mu.Lock()
	old := j.leases[key]
	j.leases[key] = l
	j.mu.Unlock()
	if old != nil {
		old.lose() // for the server it was over; nobody would renew it any more
	}
	return l
}

// ring ends the lease if it was not renewed meanwhile. A timer does not count the time in which the machine was asleep,
// so the clock is asked.
func (l *Lease) ring() {
	l.mu.Lock()
	left := l.deadline - sinceBoot()
	if l.over || left > 0 || l.job.o.Unfenced {
		if !l.over {
			l.timer.Reset(max(left, leastLease))
		}
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	l.lose()
}

// lose ends a lease that nobody gave back.
func (l *Lease) lose() {
	if !l.end() {
		return
	}
	l.job.mu.Lock()
	tell := l.job.lost
	l.job.mu.Unlock()
	if tell != nil {
		tell(l)
	}
}

// end ends a lease on this side, and says whether it had not ended before.
func (l *Lease) end() bool {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return false
	}
	l.over = true
	l.timer.Stop()
	l.mu.Unlock()
	l.cancel(ErrLost)
	l.job.mu.Lock()
	defer l.job.mu.Unlock()
	if l.job.leases[l.Key] == l {
		delete(l.job.leases, l.Key)
	}
	return true
}

// Check returns nil while the lease is surely held, and then [ErrLost]. It asks no server but a clock that goes on while
// the process is stopped and, on Linux, while the machine sleeps. It is to be called after each wait and just before
// whatever others would see.
func (l *Lease) Check() error {
	if l.job.o.Unfenced {
		return nil
	}
	l.mu.Lock()
	held := !l.over && sinceBoot() < l.deadline
	l.mu.Unlock()
	if held {
		return nil
	}
	return ErrLost
}

// Bind returns a context that ends when ctx does, and with the cause [ErrLost] when the lease does. It is one of this era:
// see [Job.WithinEra]. Its cancel must be called.
func (l *Lease) Bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(l.job.WithinEra(ctx))
	if l.job.o.Unfenced {
		return ctx, func() { cancel(nil) }
	}
	stop := context.AfterFunc(l.ctx, func() { cancel(ErrLost) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// held returns the leases of now.
func (j *Job) held() []*Lease {
	j.mu.Lock()
	defer j.mu.Unlock()
	leases := make([]*Lease, 0, len(j.leases))
	for _, l := range j.leases {
		leases = append(leases, l)
	}
	return leases
}

// Held returns how many leases this worker has.
func (j *Job) Held() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.leases)
}

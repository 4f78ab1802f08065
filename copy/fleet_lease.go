package copy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pace/limiter/fleet"
)

func isEnd(key string) bool { return strings.HasSuffix(key, "/end") }

// lease leases keys as long as there is too little in hand.
func (e *fleetFeed) lease() {
	if err := e.start(); err != nil {
		e.fail(err)
		return
	}
	for e.ctx.Err() == nil {
		if err := e.remind(); err != nil {
			e.fail(err)
			return
		}
		wait, err := e.ask()
		if err != nil {
			if e.ctx.Err() == nil {
				e.fail(err)
			}
			return
		}
		if wait < 0 {
			return
		}
		if !e.rest(wait) {
			return
		}
	}
}

// rest waits until there may be something to lease. It returns false at the end. What this worker has added is there at
// once; of what others add nobody is told.
func (e *fleetFeed) rest(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for !e.hungry.Swap(false) {
		select {
		case <-timer.C:
			return true
		case <-e.kick:
			if keys, _ := e.wanted(); keys > 0 && !e.idle.Load() {
				return true
			}
		case <-e.ctx.Done():
			return false
		}
	}
	return true
}

// start adds the first item of the job, if it is not there.
func (e *fleetFeed) start() error {
	_, err := e.job.OpenGroup(e.ctx, fleet.Group{
		Name: groupTop, End: fleet.Entry{Key: endKey(groupTop), Payload: []byte(fleetItem{kind: itemSettle}.String())},
		Keys: rankList + groupTop + "/", Items: 1, Payload: fleetItem{kind: itemStart}.String() + "\x00",
	})
	return err
}

func endKey(group string) string { return rankFirst + group + "/end" }

// wanted returns how many keys to lease, and how many items of each: what is in hand here and not begun, no other worker
// can do.
func (e *fleetFeed) wanted() (keys, items int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue) > e.width/2 {
		return 0, 0
	}
	items = min(leaseItems, e.width)
	return (e.width - len(e.queue) + items - 1) / items, items
}

// ask leases what is wanted, and returns how long to wait before the next time; below zero for ever.
func (e *fleetFeed) ask() (time.Duration, error) {
	keys, items := e.wanted()
	if keys == 0 {
		return fleetPoll, nil
	}
	a, err := e.job.Lease(e.ctx, keys, items)
	if err != nil {
		return 0, err
	}
	for _, l := range a.Leases {
		h := &holding{lease: l.Lease, dry: len(l.Items) < items}
		e.mu.Lock()
		e.holds[l.Lease] = h
		e.mu.Unlock()
		if err := e.admit(h, l.Items); err != nil {
			return 0, err
		}
		if l.Check() != nil {
			e.lose(l.Lease) // it ended before anyone was told of it
		}
	}
	switch {
	case len(a.Leases) > 0:
		e.idle.Store(false)
		return 0, nil
	case a.State == fleet.Draining:
		e.finish(true)
		return -1, nil
	case a.Added == a.Done && a.Added > 0 && a.State != fleet.Quiet:
		done, err := e.job.Done(e.ctx)
		if err != nil {
			return 0, err
		}
		if done {
			e.finish(false)
			return -1, nil
		}
	}
	if err := e.checkLost(a); err != nil {
		return 0, err
	}
	e.idle.Store(true)
	wake(e.ready)
	pause := fleetPoll
	if a.Wait >= 0 {
		pause = min(pause, max(a.Wait, 5*time.Millisecond))
	}
	return pause, nil
}

const lostPoll = time.Second

// checkLost returns an error if the server has lost items: they are not done, no key has any, and nothing has changed since
// this was found before. Of several partitions, asked one after the other, a single look can miss what moved.
func (e *fleetFeed) checkLost(a fleet.Answer) error {
	switch {
	case a.Keys > 0 || a.State != "" || a.Added == a.Done:
		e.missed = missed{}
	case e.missed.added != a.Added || e.missed.done != a.Done:
		e.missed = missed{a.Added, a.Done, time.Now()}
	case time.Since(e.missed.since) > lostPoll:
		return fleet.ErrTorn
	}
	return nil
}

// missed is when a job was first found without the items that are not done, with what it had then.
type missed struct {
	added, done int64
	since       time.Time
}

// finish says that nothing more comes. Of a job that is drained, what is in hand and not begun goes back.
func (e *fleetFeed) finish(drained bool) {
	e.mu.Lock()
	e.over = true
	if drained {
		e.queue = nil
		e.drained = true
	}
	e.mu.Unlock()
	wake(e.ready)
	if drained {
		e.Log.Warn(errDrained.Error())
	}
}

// settle acknowledges what is done: first its sync, and with that what others may rely on.
func (e *fleetFeed) settle(ctx context.Context, done []*task) error {
	if err := e.syncAll(ctx, done); err != nil {
		return err
	}
	acks := map[*holding]*fleet.Acked{}
	var all []*fleet.Acked
	e.mu.Lock()
	for _, t := range done {
		if t.lost {
			continue
		}
		a := acks[t.holding]
		if a == nil {
			a = &fleet.Acked{Lease: t.lease, Era: t.era}
			acks[t.holding], all = a, append(all, a)
		}
		a.IDs, a.Era, a.Bytes = append(a.IDs, t.id), min(a.Era, t.era), a.Bytes+t.bytes
		if a.Failure == "" {
			a.Failure = t.failure
		}
	}
	for h, a := range acks {
		if !h.dry && !e.over && len(e.queue) <= e.width {
			a.Want = len(a.IDs)
		}
	}
	e.mu.Unlock()
	if len(all) > 0 {
		if err := e.job.Ack(ctx, all...); err != nil {
			return err
		}
	}
	var released []fleet.Released
	for h, a := range acks {
		if a.Lost {
			continue
		}
		if err := e.admit(h, a.More); err != nil {
			return err
		}
		e.mu.Lock()
		h.out -= len(a.IDs)
		h.dry = h.dry || len(a.More) < a.Want
		if h.out == 0 && !h.lost {
			delete(e.holds, h.lease)
			h.lost = true
			released = append(released, fleet.Released{Lease: h.lease})
		}
		e.mu.Unlock()
	}
	for _, t := range done {
		e.works.drop(t)
	}
	e.hungry.Store(true) // the ends of groups may be there
	wake(e.kick)
	return e.release(ctx, released...)
}

// syncAll makes what was written last. What cannot be synced has failed.
func (e *fleetFeed) syncAll(ctx context.Context, done []*task) error {
	synced := map[*work]error{}
	others := false
	for _, t := range done {
		switch {
		case t.synced || t.failure != "":
		case t.work == nil:
			others = true
		default:
			err, tried := synced[t.work]
			if !tried {
				err = t.work.sink.sync(ctx)
				synced[t.work] = err
			}
			if err == nil {
				continue
			}
			if err := e.itemError(ctx, t, err); errors.Is(err, fleet.ErrLost) {
				continue // its acknowledgement will be refused
			} else if err != nil {
				return err
			}
			t.failure = fmt.Sprint(synced[t.work])
		}
	}
	if others {
		return e.ground.sync(ctx)
	}
	return nil
}

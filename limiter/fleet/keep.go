package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// keep renews the leases each third of their time, and tells the job that this worker is alive, until ctx ends.
func (j *Job) keep(ctx context.Context) {
	third := j.o.Lease / 3
	renewed := sinceBoot()
	// Workers that come together are to know of each other before they have divided what there is.
	usual := min(third, firstBeat)
	pause := usual
	for {
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		usual = min(third, beatEvery, 2*usual)
		pause = usual
		var err error
		if sinceBoot()-renewed >= third-pause/2 {
			at := sinceBoot()
			if err = j.renew(ctx); err == nil {
				renewed = at
			}
		}
		if err == nil {
			err = j.beatOnce(ctx)
		}
		if err != nil {
			// Soon again: what is late for its deadline is lost.
			pause = min(pause, retryEvery)
		}
	}
}

const (
	beatEvery  = time.Second
	firstBeat  = 100 * time.Millisecond
	retryEvery = 100 * time.Millisecond
)

// renew moves the deadlines of all leases. Each counts from before the server was asked.
func (j *Job) renew(ctx context.Context) error {
	var first error
	for partition, group := range byPartition(j.held(), func(l *Lease) int { return l.partition }) {
		args := []any{j.record.ID, j.o.Lease.Milliseconds()}
		kept := group[:0]
		for _, l := range group {
			if l.Check() == nil { // one that is over stays so
				args, kept = append(args, l.Key, l.token), append(kept, l)
			}
		}
		if len(kept) == 0 {
			continue
		}
		before := sinceBoot()
		reply, err := j.once(ctx, renewScript, partition, args...)
		var values []any
		if err == nil {
			values, err = list(reply, len(kept))
		}
		if err != nil {
			if errors.Is(err, ErrGone) {
				j.loseAll(kept)
			}
			if first == nil {
				first = err
			}
			continue
		}
		for i, value := range values {
			if n := number(value); n > 0 {
				kept[i].wished.Store(n == 2)
				kept[i].extend(before + j.o.Lease)
			} else {
				kept[i].lose()
			}
		}
	}
	return first
}

func (j *Job) loseAll(leases []*Lease) {
	for _, l := range leases {
		l.lose()
	}
}

// extend moves the deadline, unless the lease is over.
func (l *Lease) extend(deadline time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := sinceBoot()
	if l.over || now >= l.deadline {
		return // stopped meanwhile: what the server said may not be so any more
	}
	l.deadline = max(l.deadline, deadline)
	l.timer.Reset(l.deadline - now)
}

// Doing is what a worker says of itself.
type Doing struct {
	Worker string    `json:"worker"`
	Since  time.Time `json:"since"`
	Seen   time.Time `json:"seen"`
	PID    int       `json:"pid"`
	Leases int       `json:"leases"`
	Items  int64     `json:"items"`            // done
	Rate   float64   `json:"items_per_second"` // of late
	Bytes  int64     `json:"bytes"`            // that they have moved
	Speed  float64   `json:"bytes_per_second"` // of late
}

// tally counts what a worker has done.
type tally struct {
	items, bytes atomic.Int64
	at           time.Time // of the next, which are as the keeper last looked
	was          Doing
}

// count counts what an acknowledgement has counted as this worker's, for those who look at the job.
func (t *tally) count(a *Acked) {
	t.items.Add(int64(len(a.IDs)))
	t.bytes.Add(a.Bytes)
}

// beat says once that this worker is alive.
func (j *Job) beat(ctx context.Context) error {
	return j.retry(ctx, "use", j.beatOnce)
}

func (j *Job) beatOnce(ctx context.Context) error {
	said, err := json.Marshal(j.doing())
	if err != nil {
		return err
	}
	gone := max(j.o.Lease, 3*beatEvery)
	reply, err := j.once(ctx, beatScript, 0, j.record.ID, j.worker, said, gone.Milliseconds(),
		silentFor.Milliseconds())
	if err != nil {
		return err
	}
	values, err := list(reply, 3)
	if err != nil {
		return err
	}
	j.mu.Lock()
	j.peers = int(number(values[0]))
	j.mu.Unlock()
	silent, _ := values[2].([]any)
	j.buryAll(ctx, silent)
	return nil
}

// doing returns what this worker says of itself. It is called by the keeper alone, or before there is one.
func (j *Job) doing() Doing {
	now, t := time.Now(), &j.tally
	if t.at.IsZero() {
		t.at = now
	}
	d := Doing{
		Worker: j.worker, Since: j.since.UTC().Truncate(time.Second), PID: os.Getpid(), Leases: j.Held(),
		Items: t.items.Load(), Rate: t.was.Rate, Bytes: t.bytes.Load(), Speed: t.was.Speed,
	}
	if spent := now.Sub(t.at).Seconds(); spent >= 1 {
		d.Rate = float64(d.Items-t.was.Items) / spent
		d.Speed = float64(d.Bytes-t.was.Bytes) / spent
		t.at, t.was = now, d
	}
	return d
}

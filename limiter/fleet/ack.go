package fleet

import (
	"context"
	"time"
)

// Acked is what is done of a lease's items, and how many more are wanted.
type Acked struct {
	Lease *Lease
	IDs   []string
	Bytes int64 // that they have moved, for those who look at the job
	Want  int
	// Failure, if not empty, is why the group of the key has failed: its end is told the first that comes.
	Failure string
	// Era is that of the job when work on the items began, before anything was added for them; 0 if nothing was.
	Era  int64
	More []Item // after Ack
	Void int    // after Ack: how many of the items do not count, and are handed out again: their era is over
	Lost bool   // after Ack: the lease is over, and none of the items counts
}

// Ack counts items as done, for good when it returns, and hands out more of their keys. Each lease may stand in the list
// once. A lease that is over is no error: its Lost says so.
func (j *Job) Ack(ctx context.Context, acks ...*Acked) error {
	for partition, group := range byPartition(acks, func(a *Acked) int { return a.Lease.partition }) {
		args := []any{}
		for _, a := range group {
			args = append(args, a.Lease.Key, a.Lease.token, a.Want, a.Failure, j.epochIn(a.Era, partition), a.Bytes, len(a.IDs))
			for _, id := range a.IDs {
				args = append(args, id)
			}
		}
		reply, err := j.eval(ctx, ackScript, partition, args...)
		if err != nil {
			return err
		}
		values, err := list(reply, len(group)+1)
		if err != nil {
			return err
		}
		j.learn(partition, text(values[0]))
		for i, value := range values[1:] {
			parts, err := list(value, 0)
			if err != nil {
				return err
			}
			if a := group[i]; len(parts) == 0 || number(parts[0]) == 0 {
				a.Lost = true
				a.Lease.lose()
			} else {
				a.Void, a.More = int(number(parts[0]))-1, itemsOf(parts[1:])
				if a.Void == 0 {
					j.tally.count(a)
				}
			}
		}
	}
	return nil
}

// Released is a lease that is given back, or kept, with what the next holder of its key must know.
type Released struct {
	Lease *Lease
	After time.Duration // until the next start on the key, from now
	Gap   time.Duration // between starts on it; 0 if it has none of its own
	Note  string
	Keep  bool // it goes on: what the server knows of the key is only brought up to date, in case this worker dies
}

// Release ends leases. Items that are handed out and not done go back to the head of their queues.
func (j *Job) Release(ctx context.Context, released ...Released) error {
	for partition, group := range byPartition(released, func(r Released) int { return r.Lease.partition }) {
		args := []any{}
		for _, r := range group {
			// The next start is told from now on: rounded up, nothing can be early.
			after := (r.After + time.Millisecond - 1).Milliseconds()
			gap := (r.Gap + time.Millisecond - 1).Milliseconds()
			keep := 0
			if r.Keep {
				keep = 1
			} else {
				r.Lease.end()
			}
			args = append(args, r.Lease.Key, r.Lease.token, max(0, after), gap, r.Note, keep)
		}
		reply, err := j.eval(ctx, releaseScript, partition, args...)
		if err != nil {
			return err
		}
		values, err := list(reply, len(group))
		if err != nil {
			return err
		}
		for i, value := range values {
			if number(value) == 0 {
				group[i].Lease.lose()
			}
		}
	}
	return nil
}

// byPartition groups what belongs together.
func byPartition[T any](all []T, partition func(T) int) map[int][]T {
	groups := map[int][]T{}
	for _, one := range all {
		p := partition(one)
		groups[p] = append(groups[p], one)
	}
	return groups
}

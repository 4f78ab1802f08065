package fleet

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Counts is how far a job is.
type Counts struct {
	Added   int64 // items
	Done    int64 // of them; dead ones too
	Bytes   int64 // that done ones have moved
	Dead    int64
	Keys    int64 // with items or a lease
	Leased  int64 // keys
	Sources int64 // that are not read to their end
	State   string
}

// Pending returns how many items are not done.
func (c Counts) Pending() int64 { return c.Added - c.Done }

// fieldsOf reads fields of all partitions' records in one go.
func (j *Job) fieldsOf(ctx context.Context, names ...string) ([][]string, error) {
	rows := make([][]string, j.record.Partitions)
	err := j.retry(ctx, "use", func(ctx context.Context) error {
		replies := make([]*redis.SliceCmd, len(rows))
		_, err := j.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for partition := range rows {
				replies[partition] = p.HMGet(ctx, j.key(partition, "part"), append([]string{"id"}, names...)...)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for partition, reply := range replies {
			values := reply.Val()
			if text(values[0]) != j.record.ID {
				return ErrGone
			}
			row := make([]string, len(names))
			for i := range names {
				row[i] = text(values[i+1])
			}
			rows[partition] = row
		}
		return nil
	})
	return rows, err
}

// ErrTorn says that all items that a job knows of are done, but not what groups of it wait for: the server has lost some.
var ErrTorn = errors.New("redis has lost a part of the job, so it cannot be finished: " +
	"pace fleet delete forgets it, and then it can be begun again")

// Done says whether something was added and nothing is left to do, and closes the job then.
//
// What is done is read before what was added: done items only grow, and an item is added before the one that led to it is
// done; so if all that was done at one moment is all that was added at a later one, nothing was left in between, and
// nobody is there who could add. It is read again after that, because a server that was restarted in between may know
// of less.
func (j *Job) Done(ctx context.Context) (bool, error) {
	first, err := j.sums(ctx, "done")
	if err != nil {
		return false, err
	}
	then, err := j.sums(ctx, "added", "done")
	if err != nil || then[0] != first[0] || then[1] != first[0] || first[0] == 0 {
		return false, err
	}
	open, err := j.openGroups(ctx)
	switch {
	case err != nil:
		return false, err
	case open == 0:
		return j.finish(ctx)
	}
	// No item is left that could end them, unless a late worker has opened one just now.
	if last, err := j.sums(ctx, "added"); err != nil || last[0] != first[0] {
		return false, err
	}
	return false, ErrTorn
}

// openGroups returns how many groups are not through.
func (j *Job) openGroups(ctx context.Context) (n int64, err error) {
	err = j.retry(ctx, "use", func(ctx context.Context) error {
		var open []*redis.IntCmd
		_, err := j.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for partition := range j.record.Partitions {
				open = append(open, p.SCard(ctx, j.key(partition, "groups")))
			}
			return nil
		})
		n = 0
		for _, reply := range open {
			n += reply.Val()
		}
		return err
	})
	return n, err
}

// sums adds up counters of all partitions.
func (j *Job) sums(ctx context.Context, names ...string) ([]int64, error) {
	totals := make([]int64, len(names))
	rows, err := j.fieldsOf(ctx, names...)
	for _, row := range rows {
		for i, value := range row {
			if value == "" {
				continue
			}
			n, parseErr := strconv.ParseInt(value, 10, 64)
			if parseErr != nil {
				return nil, parseErr
			}
			totals[i] += n
		}
	}
	return totals, err
}

// finish closes the job if everything in it is done, and lets its keys go after a time.
func (j *Job) finish(ctx context.Context) (bool, error) {
	reply, err := j.eval(ctx, finishScript, 0)
	if err != nil {
		return false, err
	}
	switch number(reply) {
	case 0:
		return false, nil
	case 1:
		return j.expire(ctx)
	}
	return true, nil
}

// Counts reads how far the job is.
func (j *Job) Counts(ctx context.Context) (c Counts, err error) {
	var opened int64 // sources: each is counted as added, and when it is read as done
	for _, names := range [][]string{{"done", "bytes", "dead", "state"}, {"added", "sources"}} {
		rows, err := j.fieldsOf(ctx, names...)
		if err != nil {
			return c, err
		}
		for _, row := range rows {
			for i, name := range names {
				if name == "state" {
					c.State = row[i]
					continue
				}
				n, _ := strconv.ParseInt(row[i], 10, 64) // empty before the first
				*map[string]*int64{
					"done": &c.Done, "bytes": &c.Bytes, "dead": &c.Dead, "added": &c.Added, "sources": &opened,
				}[name] += n
			}
		}
	}
	err = j.retry(ctx, "use", func(ctx context.Context) error {
		var due, held []*redis.IntCmd
		var sources *redis.IntCmd
		_, err := j.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for partition := range j.record.Partitions {
				due = append(due, p.ZCard(ctx, j.key(partition, "due")))
				held = append(held, p.ZCard(ctx, j.key(partition, "held")))
			}
			sources = p.HLen(ctx, j.key(0, "sources"))
			return nil
		})
		if err != nil {
			return err
		}
		c.Keys, c.Leased = 0, 0
		for i := range due {
			c.Leased += held[i].Val()
			c.Keys += due[i].Val() + held[i].Val()
		}
		c.Sources = sources.Val()
		return nil
	})
	c.Added -= opened
	c.Done -= opened - c.Sources
	return c, err
}

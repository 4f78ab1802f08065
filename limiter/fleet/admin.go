package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Look opens a job to look at it or to change its state, without taking part in it. [ErrNoJob] says that there is none.
// Of the result, Lease and Add must not be used.
func Look(ctx context.Context, o Options) (*Job, error) {
	j, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	j.stop = func() {}
	var fields map[string]string
	err = j.retry(ctx, "use", func(ctx context.Context) (err error) {
		fields, err = j.rdb.HGetAll(ctx, j.key(0, "job")).Result()
		return err
	})
	if err == nil && len(fields) == 0 {
		err = ErrNoJob
	}
	if err == nil {
		err = j.takeRecord(fields)
	}
	if err == nil && !j.record.Finished.IsZero() {
		// Whoever finished it may have been killed before it had seen to its end. What is half deleted has none.
		if _, err = j.finish(ctx); errors.Is(err, ErrGone) {
			err = nil
		}
	}
	if err != nil {
		_ = j.rdb.Close()
		return nil, err
	}
	j.o.Patience = patienceOf(o)
	return j, nil
}

// Leave ends what Look began.
func (j *Job) Leave() error { return j.rdb.Close() }

// States of a job. The zero value is a job that runs.
const (
	Paused   = "paused"   // nothing is leased; workers wait
	Draining = "draining" // nothing is leased; workers give back what they hold, and end
)

// Quiet is a state that nobody sets: for the time of a lease after the server was restarted or replaced, which may have
// forgotten leases, nothing is leased.
const Quiet = "quiet"

// SetState changes what workers do, from their next lease or ack on. "" lets the job run.
func (j *Job) SetState(ctx context.Context, state string) error {
	for partition := range j.record.Partitions {
		if _, err := j.eval(ctx, stateScript, partition, state); err != nil {
			return err
		}
	}
	return nil
}

// Worker is one that the job knows.
type Worker struct {
	Doing
	Alive bool `json:"alive"` // it was heard of within a lease's time
}

// Workers returns those that were heard of in the last hour and did not leave, in the order of their coming.
func (j *Job) Workers(ctx context.Context) ([]Worker, error) {
	var workers []Worker
	err := j.retry(ctx, "use", func(ctx context.Context) error {
		said, err := j.rdb.HGetAll(ctx, j.key(0, "workers")).Result()
		if err != nil {
			return err
		}
		beats, err := j.rdb.ZRangeWithScores(ctx, j.key(0, "beats"), 0, -1).Result()
		if err != nil {
			return err
		}
		now, err := j.now(ctx)
		if err != nil {
			return err
		}
		gone := max(j.o.Lease, 3*beatEvery)
		workers = nil
		for _, beat := range beats {
			name := beat.Member.(string)
			w := Worker{Doing: Doing{Worker: name}}
			_ = json.Unmarshal([]byte(said[name]), &w.Doing) // what cannot be read is not said
			w.Seen = time.UnixMilli(int64(beat.Score)).UTC()
			w.Alive = now.Sub(w.Seen) <= gone
			workers = append(workers, w)
		}
		return nil
	})
	slices.SortFunc(workers, func(a, b Worker) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(a.Doing.Worker, b.Doing.Worker)
	})
	return workers, err
}

// now returns the time of the server that has partition 0.
func (j *Job) now(ctx context.Context) (time.Time, error) {
	if cluster, ok := j.rdb.(*redis.ClusterClient); ok {
		master, err := cluster.MasterForKey(ctx, j.key(0, "part"))
		if err != nil {
			return time.Time{}, err
		}
		return master.Time(ctx).Result()
	}
	return j.rdb.Time(ctx).Result()
}

// Letter is a dead item.
type Letter struct {
	Key      string
	Attempts int
	Payload  []byte
}

// Dead returns up to most items that were tried too often.
func (j *Job) Dead(ctx context.Context, most int) ([]Letter, error) {
	var letters []Letter
	for partition := range j.record.Partitions {
		if len(letters) >= most {
			break
		}
		var rows []string
		err := j.retry(ctx, "use", func(ctx context.Context) (err error) {
			rows, err = j.rdb.LRange(ctx, j.key(partition, "dead"), 0, int64(most-len(letters)-1)).Result()
			return err
		})
		if err != nil {
			return letters, err
		}
		for _, row := range rows {
			var length, attempts int
			parts := strings.SplitN(row, " ", 3)
			if len(parts) == 3 {
				length, _ = strconv.Atoi(parts[0]) // our own number, as is the next
				attempts, _ = strconv.Atoi(parts[1])
			}
			if len(parts) != 3 || len(parts[2]) < length {
				return letters, errors.New("a dead item makes no sense")
			}
			letters = append(letters, Letter{Key: parts[2][:length], Attempts: attempts, Payload: []byte(parts[2][length:])})
		}
	}
	return letters, nil
}

// PerShard returns about how many members a shard of the seen-set has, from a few of them. Above the server's
// set-max-intset-entries (512 unless it is set otherwise) a member takes some 70 bytes instead of 9.
func (j *Job) PerShard(ctx context.Context) (float64, error) {
	const sample = 16
	n := min(sample, j.record.Shards)
	var replies []*redis.IntCmd
	err := j.retry(ctx, "use", func(ctx context.Context) error {
		replies = nil
		_, err := j.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for partition := range j.record.Partitions {
				for shard := range n {
					replies = append(replies, p.SCard(ctx, j.key(partition, "s:"+strconv.Itoa(shard))))
				}
			}
			return nil
		})
		return err
	})
	total := int64(0)
	for _, reply := range replies {
		total += reply.Val()
	}
	return float64(total) / float64(max(1, len(replies))), err
}

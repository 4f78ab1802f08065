package fleet

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// What a partition has besides the keys of its shards and of its items.
var fixedKeys = []string{"due", "held", "tok", "next", "gap", "note", "wish", "adm", "dead", "groups"}

// What the job has once, in partition 0; the record is the last.
var jobKeys = []string{"beats", "workers", "sources", "read", "shared", "failed", "rates", "askers", "job"}

const keysAtOnce = 1000

// Delete removes all that the server has of the job. Workers that are still there end with [ErrGone]. One that was cut
// short is done again by another; until then nobody can join.
func (j *Job) Delete(ctx context.Context) error {
	err := j.retry(ctx, "use", func(ctx context.Context) error {
		_, err := j.once(ctx, doomScript, 0, j.record.ID)
		return err
	})
	if err != nil {
		return err
	}
	for partition := range j.record.Partitions {
		// Without its record no script changes the partition any more.
		err := j.eachKey(ctx, []string{j.key(partition, "part")}, unlink)
		if err == nil {
			err = j.deleteItems(ctx, partition)
		}
		if err == nil {
			err = j.deleteGroups(ctx, partition)
		}
		if err == nil {
			err = j.eachKey(ctx, j.keysOf(partition), unlink)
		}
		if err != nil {
			return err
		}
	}
	var last []string
	for _, name := range jobKeys {
		last = append(last, j.key(0, name))
	}
	return j.eachKey(ctx, last, unlink)
}

// deleteItems removes the items of all keys of a partition.
func (j *Job) deleteItems(ctx context.Context, partition int) error {
	for _, index := range []string{"due", "held"} {
		for start := int64(0); ; start += keysAtOnce {
			var names []string
			err := j.retry(ctx, "use", func(ctx context.Context) (err error) {
				names, err = j.rdb.ZRange(ctx, j.key(partition, index), start, start+keysAtOnce-1).Result()
				return err
			})
			if err != nil {
				return err
			}
			if len(names) == 0 {
				break
			}
			var keys []string
			for _, name := range names {
				keys = append(keys, j.key(partition, "q:"+name), j.key(partition, "h:"+name))
			}
			if err := j.eachKey(ctx, keys, unlink); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteGroups removes the records of all groups of a partition.
func (j *Job) deleteGroups(ctx context.Context, partition int) error {
	var names []string
	err := j.retry(ctx, "use", func(ctx context.Context) (err error) {
		names, err = j.rdb.SMembers(ctx, j.key(partition, "groups")).Result()
		return err
	})
	if err != nil {
		return err
	}
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = j.key(partition, "g:"+name)
	}
	return j.eachKey(ctx, keys, unlink)
}

// keysOf returns the keys of a partition that do not depend on its items.
func (j *Job) keysOf(partition int) []string {
	keys := make([]string, 0, j.record.Shards+len(fixedKeys))
	for shard := range j.record.Shards {
		keys = append(keys, j.key(partition, fmt.Sprint("s:", shard)))
	}
	for _, name := range fixedKeys {
		keys = append(keys, j.key(partition, name))
	}
	return keys
}

// expire lets all keys of a finished job go after the time that it is kept. All workers do it together: what one began that
// was killed, another ends. Items the job has none. It returns false if the server has lost meanwhile that it is finished.
func (j *Job) expire(ctx context.Context) (bool, error) {
	for partition := j.record.Partitions - 1; partition >= 0; {
		reply, err := j.eval(ctx, tidyScript, partition, j.record.Shards, j.o.Keep.Milliseconds())
		if err != nil {
			return false, err
		}
		switch number(reply) {
		case 1:
			partition--
		case 2:
			return false, nil
		}
	}
	return true, nil
}

func unlink(ctx context.Context, p redis.Pipeliner, key string) { p.Unlink(ctx, key) }

// eachKey does something to keys, many at once.
func (j *Job) eachKey(ctx context.Context, keys []string, do func(context.Context, redis.Pipeliner, string)) error {
	for len(keys) > 0 {
		n := min(len(keys), keysAtOnce)
		err := j.retry(ctx, "use", func(ctx context.Context) error {
			_, err := j.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, key := range keys[:n] {
					do(ctx, p, key)
				}
				return nil
			})
			return err
		})
		if err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

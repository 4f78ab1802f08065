package fleet

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// EvictingError says that a server may throw keys away when its memory is full.
type EvictingError struct{ Addr, Policy string }

func (e *EvictingError) Error() string {
	return fmt.Sprintf("redis at %s has the maxmemory-policy %s, which would lose what the job has to do: set noeviction",
		e.Addr, e.Policy)
}

// checkServer looks at what each master says of itself.
func (j *Job) checkServer(ctx context.Context) error {
	return j.eachMaster(ctx, func(ctx context.Context, rdb *redis.Client) error {
		info, err := rdb.Info(ctx, "server", "memory", "persistence").Result()
		if err != nil {
			return err // who may not ask is of no use: scripts ask too, whether the server is still the one that it was
		}
		addr := rdb.Options().Addr
		fields := infoFields(info)
		if policy := fields["maxmemory_policy"]; policy != "" && policy != "noeviction" {
			return finalError{&EvictingError{Addr: addr, Policy: policy}}
		}
		if !atLeast(fields["redis_version"], 6, 2) {
			return finalError{fmt.Errorf("redis at %s has version %s; 6.2 or later is needed", addr, fields["redis_version"])}
		}
		if fields["aof_enabled"] != "1" {
			j.log.Warn("redis keeps no append-only file: what it was not told to save is lost when it ends", "address", addr)
		}
		j.checkIntsets(ctx, rdb)
		return nil
	})
}

// checkIntsets says so if the seen-set would take much more memory than it need. Not every server may be asked.
func (j *Job) checkIntsets(ctx context.Context, rdb *redis.Client) {
	const name = "set-max-intset-entries"
	said, err := rdb.ConfigGet(ctx, name).Result()
	if err != nil {
		return
	}
	if most, err := strconv.Atoi(said[name]); err == nil && most < 2*shardMembers {
		j.log.Warn(fmt.Sprintf("redis has %s %d: the seen-set takes about 70 bytes a member instead of 9", name, most),
			"address", rdb.Options().Addr)
	}
}

// eachMaster calls do for each server that holds a part of the job.
func (j *Job) eachMaster(ctx context.Context, do func(context.Context, *redis.Client) error) error {
	return j.retry(ctx, "use", func(ctx context.Context) error {
		if cluster, ok := j.rdb.(*redis.ClusterClient); ok {
			return cluster.ForEachMaster(ctx, do)
		}
		return do(ctx, j.rdb.(*redis.Client))
	})
}

// infoFields reads the reply of INFO.
func infoFields(info string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// atLeast compares a version such as 7.0.15.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	return errA == nil && errB == nil && (a > major || a == major && b >= minor)
}

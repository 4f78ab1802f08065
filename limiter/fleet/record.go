package fleet

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Record is what a job was made with. All its workers go by it.
type Record struct {
	ID         string
	Created    time.Time
	Finished   time.Time // zero while there is more to do
	Partitions int
	Shards     int // of the seen-set, in each partition
	Expect     int64
	Seed       uint64 // of the members
	Settings   map[string]string
}

// shardMembers is how many members a shard is to have: an intset takes 8 bytes each, and with these about one more for
// its key; but it is moved with each new member, and Redis makes a table of one above set-max-intset-entries (512).
const shardMembers = 250

// recordFormat changes when workers of one version would not understand those of another.
const recordFormat = "1"

// OptionsError says that a worker's settings are not those of its job.
type OptionsError struct {
	Job         string
	Differences []string // "NAME is X, the job has Y"
}

func (e *OptionsError) Error() string {
	return fmt.Sprintf("the job %s was begun with other options: %s", e.Job, strings.Join(e.Differences, "; "))
}

// begin reads the record of the job, or makes it, and then its partitions.
func (j *Job) begin(ctx context.Context) error {
	settings, err := json.Marshal(j.o.Settings)
	if err != nil {
		return err
	}
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // it never fails
	shards := max(1, j.o.Expect/int64(j.o.Partitions)/shardMembers)
	args := []any{
		"id", rand.Text(), "format", recordFormat, "created", time.Now().UnixMilli(),
		"partitions", j.o.Partitions, "shards", shards, "expect", j.o.Expect,
		"seed", strconv.FormatUint(binary.BigEndian.Uint64(seed[:]), 10), "settings", settings,
	}
	var reply any
	err = j.retry(ctx, "use", func(ctx context.Context) (err error) {
		reply, err = j.once(ctx, jobScript, 0, args...)
		return err
	})
	if err == nil {
		err = j.readRecord(reply)
	}
	if err == nil {
		err = j.Compare()
	}
	for partition := 0; err == nil && partition < j.record.Partitions; partition++ {
		err = j.retry(ctx, "use", func(ctx context.Context) error {
			reply, err := j.once(ctx, beginScript, partition, j.record.ID, partition)
			if err != nil {
				return err
			}
			values, err := list(reply, 2)
			if err != nil {
				return finalError{err}
			}
			if text(values[0]) != j.record.ID {
				return ErrGone // its record is new, and this is left of an older one
			}
			j.learn(partition, text(values[1]))
			return nil
		})
	}
	return err
}

// readRecord takes the fields of the job's record.
func (j *Job) readRecord(reply any) error {
	values, err := list(reply, 0)
	if err != nil {
		return err
	}
	if len(values) == 0 {
		return fmt.Errorf("the job %s is being deleted; if that was cut short, pace fleet delete does the rest", j.o.Job)
	}
	fields := map[string]string{}
	for i := 0; i+1 < len(values); i += 2 {
		fields[text(values[i])] = text(values[i+1])
	}
	return j.takeRecord(fields)
}

func (j *Job) takeRecord(fields map[string]string) error {
	if fields["format"] != recordFormat {
		return fmt.Errorf("the job %s has format %q, and this version knows %s", j.o.Job, fields["format"], recordFormat)
	}
	r := Record{ID: fields["id"]}
	var created int64
	var errs [5]error
	created, errs[0] = strconv.ParseInt(fields["created"], 10, 64)
	r.Partitions, errs[1] = strconv.Atoi(fields["partitions"])
	r.Shards, errs[2] = strconv.Atoi(fields["shards"])
	r.Expect, errs[3] = strconv.ParseInt(fields["expect"], 10, 64)
	r.Seed, errs[4] = strconv.ParseUint(fields["seed"], 10, 64)
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("the record of the job %s makes no sense: %w", j.o.Job, err)
		}
	}
	if r.Partitions < 1 || r.Shards < 1 {
		return fmt.Errorf("the record of the job %s makes no sense", j.o.Job)
	}
	r.Created = time.UnixMilli(created)
	if at, err := strconv.ParseInt(fields["finished"], 10, 64); err == nil {
		r.Finished = time.UnixMilli(at)
	}
	if err := json.Unmarshal([]byte(fields["settings"]), &r.Settings); err != nil {
		return fmt.Errorf("the settings of the job %s make no sense: %w", j.o.Job, err)
	}
	j.record = r
	return nil
}

// Compare returns an [*OptionsError] if this worker's settings are not the job's.
func (j *Job) Compare() error {
	if j.o.Settings == nil {
		return nil
	}
	names := slices.Sorted(maps.Keys(j.o.Settings))
	for name := range j.record.Settings {
		if _, ok := j.o.Settings[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	shown := func(value string, ok bool, none string) string {
		if !ok {
			return none
		}
		return strings.ReplaceAll(value, "\n", " ")
	}
	var differ []string
	for _, name := range names {
		mine, given := j.o.Settings[name]
		theirs, had := j.record.Settings[name]
		if mine != theirs || given != had {
			differ = append(differ, fmt.Sprintf("%s is %s, the job has %s", name,
				shown(mine, given, "not given"), shown(theirs, had, "none")))
		}
	}
	if differ == nil {
		return nil
	}
	return &OptionsError{Job: j.o.Job, Differences: differ}
}

package fleet

import (
	"context"
	"strconv"

	"github.com/zeebo/xxh3"
)

// Kind is what is to become of an entry.
type Kind byte

const (
	IfNew   Kind = 'a' // queue it, unless its member was seen
	Counted Kind = 'c' // the same, as one of those that [Options.MaxCounted] bounds
	Wanted  Kind = 'w' // the same as Counted, however many items wait
	Always  Kind = 'f' // queue it, and note its member
	Note    Kind = 'n' // only note its member
	Ask     Kind = '?' // only ask
)

// Outcome is what became of an entry.
type Outcome int

const (
	Seen  Outcome = 0 // its member was seen before, or the job is finished
	Added Outcome = 1 // it is queued, noted, or new
	Spent Outcome = 2 // its key was given as many items as it may be
	Full  Outcome = 3 // too many items wait: it is not noted, so that it can come again
	Over  Outcome = 4 // the job was given as many counted items as it may be
)

// Entry is something to add.
type Entry struct {
	Kind    Kind
	Key     string
	Member  Member // what the seen-set knows it by
	Unless  Member // another that must not have been seen; only with IfNew, Counted and Wanted
	Limit   int    // most items that the key is ever given; 0 is unlimited
	Payload []byte
}

// Member is what a seen-set knows something by. The zero value is none.
type Member struct {
	hash uint64
	ok   bool
}

// MemberOf returns the member for a text. It is 64 bits of a hash: among ten million the chance that any two are the same
// is below 3 in a million. The job's seed keeps anyone from choosing texts that collide.
func (j *Job) MemberOf(text []byte) Member {
	return Member{hash: xxh3.HashSeed(text, j.record.Seed), ok: true}
}

// Hash returns the member's 64 bits.
func (m Member) Hash() uint64 { return m.hash }

// wire returns the member as an intset keeps it.
func (m Member) wire() string {
	if !m.ok {
		return ""
	}
	return strconv.FormatInt(int64(m.hash), 10)
}

// partitionOf returns where a key is. All keys of a group are in one place.
func (j *Job) partitionOf(key string) int {
	if group, ok := groupOf(key); ok {
		key = group
	}
	return int(xxh3.HashString(key) % uint64(j.record.Partitions))
}

// maxEntries is how many entries go to the server at once: a script holds up everyone else.
const maxEntries = 500

// Add notes and queues entries, those of one partition atomically up to 500 at a time, and says what became of each. They
// are there when it returns. After a lost reply it is repeated, so what was new can be called seen; with [Always] it can
// then be queued twice.
func (j *Job) Add(ctx context.Context, entries ...Entry) ([]Outcome, error) {
	outcomes := make([]Outcome, len(entries))
	places := make([]int, len(entries))
	for i := range places {
		places[i] = i
	}
	for partition, group := range byPartition(places, func(i int) int { return j.partitionOf(entries[i].Key) }) {
		for len(group) > 0 {
			n := min(len(group), maxEntries)
			if err := j.addTo(ctx, partition, entries, group[:n], outcomes); err != nil {
				return outcomes, err
			}
			group = group[n:]
		}
	}
	return outcomes, nil
}

// addTo adds those entries that stand at places, which are all of one partition.
func (j *Job) addTo(ctx context.Context, partition int, entries []Entry, places []int, outcomes []Outcome) error {
	args := make([]any, 0, 4+6*len(places))
	part := func(most int) int { return (most + j.record.Partitions - 1) / j.record.Partitions }
	args = append(args, j.record.Shards, j.o.MaxPendingPerKey, part(j.o.MaxPending), part(j.o.MaxCounted))
	for _, i := range places {
		e := &entries[i]
		kind := e.Kind
		if kind == 0 {
			kind = IfNew
		}
		args = append(args, string(kind), e.Key, e.Member.wire(), e.Unless.wire(), e.Limit, e.Payload)
	}
	reply, err := j.eval(ctx, addScript, partition, args...)
	if err != nil {
		return err
	}
	values, err := list(reply, len(places))
	if err != nil {
		return err
	}
	for n, i := range places {
		outcomes[i] = Outcome(number(values[n]))
	}
	return nil
}

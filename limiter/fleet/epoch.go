package fleet

import (
	"context"
	"errors"
)

// A server that is restarted, or replaced, may have lost its last writes. A worker that goes on then has items in hand for
// which it has added others that are lost: if it acknowledged them, these would never come back. So each partition has an
// epoch, which the first script after such a change ends, and an acknowledgement says in which one the item was begun.

// Era is the time in which, as far as this worker knows, no server was restarted.
func (j *Job) Era() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.era
}

// learn notes the epoch of a partition, as the server tells it.
func (j *Job) learn(partition int, epoch string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	was, known := j.epochs[partition]
	j.epochs[partition] = epoch
	if known && was != epoch {
		j.era++
	}
}

// epochIn returns what a partition is told of an era.
func (j *Job) epochIn(era int64, partition int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch era {
	case 0:
		return "any"
	case j.era:
		return "=" + j.epochs[partition]
	}
	return "old"
}

// ErrRestarted says that the server was restarted since something was begun, and may have lost what led to it: it is to be
// begun again. An acknowledgement of its item gives that back.
var ErrRestarted = errors.New("redis was restarted, and may have lost what this is about")

type eraKey struct{}

// WithinEra returns a context of the era that is now: what the job is told with it when that is over is refused with
// [ErrRestarted]. A call that is repeated after a restart, or made by a worker that does not know of it, would tell the
// server of something that it has lost: that a group has ended which is open there.
func (j *Job) WithinEra(ctx context.Context) context.Context {
	return context.WithValue(ctx, eraKey{}, j.Era())
}

func eraOf(ctx context.Context) (era int64, ok bool) {
	era, ok = ctx.Value(eraKey{}).(int64)
	return era, ok
}

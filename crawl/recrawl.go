package crawl

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// A recrawl is a new generation of a state. Its seen-set begins empty, for a redirect that leads where it led before is
// to be followed again; the pages that are known move back into the queues, each with what its latest visit said; and
// outputs begin anew, but for archives.

// requeueGroup is how many pages one commit moves back.
const requeueGroup = 2000

// keptOutputs are those that a recrawl adds to.
var keptOutputs = []string{"warc"}

// again begins a new generation with choices, and with what the outputs' marks have of use for it. After it, and after a
// crash, requeue does the rest.
func (f *diskFrontier) again(marks []byte, choices string) error {
	seed, whole := rand.Uint64(), f.choices != choices
	b := f.store.batch()
	if err := setThere(b, keyWhole, whole); err != nil {
		return err
	}
	for _, kind := range []byte{keySeen, keyHost, keyRest, keyBody} {
		if err := b.DeleteRange([]byte{kind}, []byte{kind + 1}, nil); err != nil {
			return err
		}
	}
	for _, entry := range []struct{ key, value []byte }{
		{keySeed, binary.BigEndian.AppendUint64(nil, seed)},
		{keyAdmitted, binary.AppendUvarint(nil, 0)},
		{keyTaken, binary.AppendUvarint(nil, 0)},
		{keyMarks, marks},
		{keyChoices, []byte(choices)},
		{keyAgain, []byte{1}},
	} {
		if err := b.Set(entry.key, entry.value, nil); err != nil {
			return err
		}
	}
	if err := f.store.commit(b); err != nil {
		return err
	}
	f.filter.close() // nothing has been seen
	f.choices, f.whole = choices, whole
	f.seed, f.admitted, f.moving, f.filter = seed, 0, true, newSeenFilter()
	f.sitemapFiles.taken, f.takenKept = 0, 0
	clear(f.recent[:])
	return nil
}

// requeue moves the known pages back into the queues, in the order of their hosts' queues, if a new generation has
// begun. A crash in the middle leaves each page either where it was or in its queue.
func (f *diskFrontier) requeue(ctx context.Context) error {
	if !f.moving {
		return nil
	}
	group := &change{}
	var last []byte
	move := func() error {
		err := f.move(group, last)
		group.found = group.found[:0]
		return err
	}
	err := f.store.scan([]byte{keyVisit}, []byte{keyVisit + 1}, func(key, value []byte) (bool, error) {
		it, err := unpackItem(value)
		if err != nil {
			return false, err
		}
		group.found, last = append(group.found, foundPage{item: it}), append(last[:0], key...)
		if len(group.found) < requeueGroup {
			return true, nil
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return true, move()
	})
	if err == nil && len(group.found) > 0 {
		err = move()
	}
	if err != nil {
		return err
	}
	f.moving = false
	return f.store.delete(keyAgain)
}

// move queues known pages, of which last is the key of the last one, and forgets them and all before it where they were.
func (f *diskFrontier) move(group *change, last []byte) error {
	return f.commitWith([]*change{group}, nil, func(b *pebble.Batch) error {
		return b.DeleteRange([]byte{keyVisit}, append(last, 0), nil)
	})
}

// recrawlMarks returns the marks with which the outputs of a recrawl open.
func recrawlMarks(marks []byte) ([]byte, error) {
	old := map[string][]mark{}
	if marks != nil {
		if err := json.Unmarshal(marks, &old); err != nil {
			return nil, damaged(err)
		}
	}
	for name := range old {
		if !slices.Contains(keptOutputs, name) {
			delete(old, name)
		}
	}
	return json.Marshal(old)
}

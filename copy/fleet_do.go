package copy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"pace/limiter/fleet"
)

const (
	fleetChunk   = 4 * mib // an item of a large file, unless --chunk-size says otherwise
	stripeChunks = 16      // of a key: a worker holds one stripe or a few of a file
	mostChunks   = 1 << 14 // of a file: of larger ones the chunks are larger
	portionKeys  = 16      // the files of a folder are spread over
)

// askChunk returns how much of a file of size bytes is one item.
func (f *fleetRun) askChunk(size int64) int64 {
	chunk := int64(fleetChunk)
	if f.ChunkSize > 0 {
		chunk = f.ChunkSize
	}
	for (size-1)/chunk >= mostChunks {
		chunk *= 2
	}
	return chunk
}

// stripe is how many bytes one worker copies alone at most.
func (f *fleetRun) stripe() int64 { return f.askChunk(0) * stripeChunks }

// perform does an item. The error is one that ends the run, or of a lease that is over.
func (f *fleetRun) perform(ctx context.Context, t *task) error {
	it := t.item
	if it.kind != itemStart && it.kind != itemSettle && it.source >= len(f.shelves) {
		return errItem
	}
	switch it.kind {
	case itemStart:
		t.synced = true
		return f.startSources(ctx)
	case itemList:
		return f.doList(ctx, t)
	case itemSmall, itemEntries:
		return f.doNames(ctx, t)
	case itemBegin:
		return f.doBegin(ctx, t)
	case itemChunk:
		return f.doChunk(ctx, t)
	case itemFinish:
		return f.doFinish(ctx, t)
	case itemClose:
		return f.doClose(ctx, t)
	case itemSettle:
		return f.doSettle(ctx)
	}
	return errItem
}

// itemError returns err if it is not the item's but this worker's, which cannot go on: then others may do the item.
func (f *fleetRun) itemError(ctx context.Context, t *task, err error) error {
	switch {
	case ctx.Err() != nil:
		return cancelled(ctx)
	case t.lease.Check() != nil: // whoever has it by now says what becomes of it
		return fleet.ErrLost
	case noSpace(err), f.refused(err), errors.Is(err, fleet.ErrLost), errors.Is(err, errRedis), ofLimits(err):
		return err
	}
	// What is not mounted any more would make all of the job fail.
	for _, s := range f.shelves {
		if e := s.check(ctx); e != nil {
			return e
		}
	}
	if e := f.ground.marked(ctx, f.job.Record().ID); e != nil && !errors.Is(e, fs.ErrPermission) {
		return fmt.Errorf("%w (%w)", notMounted(e), err)
	}
	return nil
}

// errRedis is in errors of the job itself, which are no item's.
var errRedis = errors.New("cannot go on with the job")

func ofJob(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errRedis, err)
}

// ofLimits says whether err is what a limit of the job says when Redis is away.
func ofLimits(err error) bool {
	return errors.As(err, new(*fleet.UnreachableError)) || errors.As(err, new(*fleet.FullError)) || errors.Is(err, fleet.ErrGone)
}

// startSources adds what the sources are.
func (f *fleetRun) startSources(ctx context.Context) error {
	for i, s := range f.plan.Sources {
		var err error
		switch it := (fleetItem{source: i}); {
		case !s.Single:
			err = f.addFolder(ctx, groupTop, i, "")
		case fs.FileMode(s.Type).IsRegular():
			it.kind = itemBegin
			err = f.add(ctx, rankBegin+groupTop+"/", it)
		default:
			it.kind, it.names = itemEntries, []string{""}
			err = f.add(ctx, rankSmall+groupTop+"/", it)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add adds items to a key, once each.
func (f *fleetRun) add(ctx context.Context, key string, items ...fleetItem) error {
	entries := make([]fleet.Entry, len(items))
	for i, it := range items {
		payload := []byte(it.String())
		entries[i] = fleet.Entry{Key: key, Member: f.job.MemberOf(payload), Payload: payload}
	}
	_, err := f.job.Add(ctx, entries...)
	f.feed.hungry.Store(true)
	return ofJob(err)
}

// addFolder adds a folder to the group of the one that it is in, which waits for it. It is there before it is waited for:
// nobody can then wait for what never comes.
func (f *fleetRun) addFolder(ctx context.Context, in string, source int, rel string) error {
	name := folderGroup(source, rel)
	_, err := f.job.OpenGroup(ctx, fleet.Group{
		Name: name,
		End:  fleet.Entry{Key: endKey(name), Payload: []byte(fleetItem{kind: itemClose, source: source, rel: rel}.String())},
		Keys: rankList + name + "/", Items: 1, Payload: fleetItem{kind: itemList, source: source, rel: rel}.String() + "\x00",
	})
	if err == nil {
		err = f.job.Expect(ctx, in, name)
	}
	f.feed.hungry.Store(true)
	return ofJob(err)
}

func (f *fleetRun) doSettle(ctx context.Context) error {
	if _, err := f.job.Share(ctx, map[string]string{sharedSettled: "1"}); err != nil {
		return ofJob(err)
	}
	if err := f.ground.unmark(ctx); err != nil {
		return err
	}
	for i, s := range f.plan.Sources {
		if !s.Single && len(s.Lands) == 0 && f.Archive { // without the mark it is another time
			if err := f.ground.endFolder(ctx, "", false, f.shelves[i], ""); err != nil {
				f.Log.Warn("the times of the destination are not those of the source", "error", err)
			}
		}
	}
	return nil
}

package copy

import (
	"context"
	"errors"
	"fmt"

	"pace/limiter/fleet"
	"pace/limiter/progress"
)

// lister adds what a folder holds.
type fleetLister struct {
	*fleetRun
	task   *task
	group  string
	source int
	rel    string

	small, entries portionOfFleet
	number         int // of portions and large files
}

// portionOfFleet is what becomes one item.
type portionOfFleet struct {
	names []string
	bytes int64
}

// doList makes a folder and adds what is in it. A worker that does it again adds nothing twice, unless the folder is
// listed in another order then: a file that is in two portions is copied twice.
func (f *fleetRun) doList(ctx context.Context, t *task) error {
	it := t.item
	t.synced = true // the end of the folder is synced
	l := &fleetLister{fleetRun: f, task: t, group: folderGroup(it.source, it.rel), source: it.source, rel: it.rel}
	err := f.ground.makeFolder(ctx, f.lands(it.source, it.rel), func() error { return f.noteMade(ctx, t) })
	if err == nil {
		err = f.shelves[it.source].list(ctx, it.rel, func(what shelved) error { return l.each(ctx, what) })
		if lost := t.lease.Check(); lost != nil {
			return lost // what was gathered is half a portion that no other worker has
		}
		if flushErr := l.flush(ctx); err == nil {
			err = flushErr
		}
	}
	if err == nil {
		return nil
	}
	if e := f.itemError(ctx, t, err); e != nil {
		return e
	}
	t.failure = err.Error() // which the folder's end tells
	return nil
}

// madeMember is what the job knows a folder by that it makes.
func (f *fleetRun) madeMember(source int, rel string) fleet.Entry {
	group := folderGroup(source, rel)
	return fleet.Entry{Kind: fleet.Note, Key: rankList + group + "/", Member: f.job.MemberOf([]byte("made " + group))}
}

// noteMade notes that a folder is the job's own, just before it is made.
func (f *fleetRun) noteMade(ctx context.Context, t *task) error {
	note := f.madeMember(t.item.source, t.item.rel)
	f.made.add(note)
	if _, err := f.job.Add(ctx, note); err != nil {
		return ofJob(err)
	}
	return t.lease.Check()
}

func (l *fleetLister) each(ctx context.Context, what shelved) error {
	rel := join(l.rel, what.name)
	if what.rel != "" {
		rel = what.rel
	}
	if l.leftOut(rel, what.mode.IsDir()) {
		return nil
	}
	if err := l.task.lease.Check(); err != nil {
		return err
	}
	switch {
	case what.err != nil:
		l.Progress.Grow(1, 0)
		return l.failItem(ctx, l.shelves[l.source].shown(rel), what.err)
	case what.mode.IsDir():
		return l.addFolder(ctx, l.group, l.source, rel)
	case !what.mode.IsRegular():
		return l.gather(ctx, &l.entries, itemEntries, what)
	case what.size > l.stripe(), what.rel != "":
		l.number++
		// A key for each: of many that are begun at once, none would be whole soon.
		key := fmt.Sprintf("%s%s/%d", rankBegin, l.group, l.number)
		return l.add(ctx, key, fleetItem{kind: itemBegin, source: l.source, rel: rel})
	}
	return l.gather(ctx, &l.small, itemSmall, what)
}

// gather takes an entry into a portion, which is added when it is full.
func (l *fleetLister) gather(ctx context.Context, p *portionOfFleet, kind string, what shelved) error {
	p.names = append(p.names, what.name)
	p.bytes += what.size
	if len(p.names) < portionEntries && p.bytes < l.stripe() {
		return nil
	}
	return l.addPortion(ctx, p, kind)
}

func (l *fleetLister) addPortion(ctx context.Context, p *portionOfFleet, kind string) error {
	if len(p.names) == 0 {
		return nil
	}
	l.number++
	key := fmt.Sprintf("%s%s/%d", rankSmall, l.group, l.number%portionKeys)
	it := fleetItem{kind: kind, source: l.source, rel: l.rel, names: p.names}
	*p = portionOfFleet{}
	return l.add(ctx, key, it)
}

func (l *fleetLister) flush(ctx context.Context) error {
	return errors.Join(l.addPortion(ctx, &l.small, itemSmall), l.addPortion(ctx, &l.entries, itemEntries))
}

// doClose ends a folder of which all is done.
func (f *fleetRun) doClose(ctx context.Context, t *task) error {
	it := t.item
	err := f.endFolder(ctx, it.source, it.rel)
	if t.end != "" {
		err = errors.New(t.end)
	}
	if err != nil {
		if e := f.itemError(ctx, t, err); e != nil {
			return e
		}
		f.Progress.Grow(1, 0)
		if e := f.failItem(ctx, f.shelves[it.source].shown(it.rel), err); e != nil {
			return e
		}
	}
	return ofJob(f.job.Ended(ctx, f.parent(it.source, it.rel), folderGroup(it.source, it.rel)))
}

// repair makes good what an item may have changed that was not through when its lease ended: others may have ended its
// file, or its folder, since.
func (f *fleetRun) repair(ctx context.Context, t *task) {
	it := t.item
	if t.work != nil && t.work.sink != nil {
		t.work.sink.repair()
	}
	folder := it.rel
	switch it.kind {
	case itemSmall, itemEntries, itemList:
	case itemBegin, itemFinish:
		folder = above(it.rel)
	default:
		return
	}
	if it.source >= len(f.shelves) || f.plan.Sources[it.source].Single {
		return
	}
	ended, err := f.job.HasEnded(ctx, f.parent(it.source, folder), folderGroup(it.source, folder))
	if err == nil && ended {
		err = f.endFolder(ctx, it.source, folder)
	}
	if err != nil && ctx.Err() == nil {
		f.Log.Warn("a late write may have changed the times of a folder", "item", f.ground.shown(f.lands(it.source, folder)),
			"error", err)
	}
}

// endFolder gives a folder what it is to have.
func (f *fleetRun) endFolder(ctx context.Context, source int, rel string) error {
	ask := f.madeMember(source, rel)
	ask.Kind = fleet.Ask
	outcomes, err := f.job.Add(ctx, ask)
	if err != nil {
		return ofJob(err)
	}
	return f.ground.endFolder(ctx, f.lands(source, rel), outcomes[0] == fleet.Seen, f.shelves[source], rel)
}

// doNames copies what one worker does alone: small files together, as far as they go together, and all else one after
// another.
func (f *fleetRun) doNames(ctx context.Context, t *task) error {
	defer f.holdFolder(t.item.source, t.item.rel)()
	names := t.item.names
	if t.item.kind == itemSmall {
		var err error
		if names, err = f.copyTogether(ctx, t); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := t.lease.Check(); err != nil {
			return err
		}
		rel := join(t.item.rel, name)
		f.Progress.Grow(1, 0)
		var skipped bool
		var err error
		if t.item.kind == itemEntries {
			skipped, err = f.copyFleetEntry(ctx, t, rel)
		} else {
			skipped, err = f.copySmall(ctx, t, rel)
		}
		if err := f.outcome(ctx, t, rel, skipped, err); err != nil {
			return err
		}
	}
	return nil
}

// outcome counts what became of a file or an entry. The error returned is one that ends the run.
func (f *fleetRun) outcome(ctx context.Context, t *task, rel string, skipped bool, err error) error {
	src := f.shelves[t.item.source].shown(rel)
	switch {
	case err != nil:
		if e := f.itemError(ctx, t, err); e != nil {
			return e
		}
		return f.failItem(ctx, src, err)
	case skipped:
		f.Progress.ItemSkipped()
	default:
		f.served.Store(true)
		f.run.done(src, f.ground.shown(f.lands(t.item.source, rel)))
	}
	return nil
}

func (f *fleetRun) copyFleetEntry(ctx context.Context, t *task, rel string) (bool, error) {
	op := f.Progress.Begin()
	skipped, err := f.ground.entry(ctx, f.lands(t.item.source, rel), f.shelves[t.item.source], rel)
	var did progress.Did
	if op.Traced() {
		did = progress.Did{Kind: "entry", Item: f.shelves[t.item.source].shown(rel), Err: err}
	}
	op.EndAs(ctx, did)
	return skipped, err
}

// copySmall copies a file alone.
func (f *fleetRun) copySmall(ctx context.Context, t *task, rel string) (skipped bool, err error) {
	from, err := f.shelves[t.item.source].file(rel)
	if err != nil {
		return false, err
	}
	defer from.close()
	what, err := from.open(ctx)
	if err != nil {
		return false, err
	}
	return f.copyFound(ctx, t, rel, from, what)
}

func (f *fleetRun) copyFound(ctx context.Context, t *task, rel string, from source, what found) (skipped bool, err error) {
	lands := f.lands(t.item.source, rel)
	if skipped, err := f.ground.stays(ctx, lands, f.shelves[t.item.source].shown(rel), from, what); skipped || err != nil {
		return skipped, err
	}
	y := &relay{
		run: f.run, src: f.shelves[t.item.source].shown(rel), dst: f.ground.shown(lands), from: from, what: what,
		to: f.ground.small(lands, from, t.lease.Check),
	}
	err = y.alone(ctx)
	if y.own != nil {
		_ = y.own.close() // it only frees memory
	}
	t.bytes += y.moved.Load()
	return y.kept, err
}

// alone copies a file from its start to its end, with nobody's help.
func (y *relay) alone(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			y.to.abort(false)
		}
	}()
	if y.need, err = y.to.begin(ctx, y.what); err != nil {
		return err
	}
	y.begun = true
	y.lendBuffers()
	if !y.what.ranges || y.what.size < 0 {
		size, err := y.copyRange(ctx, chunk{0, -1})
		if err != nil {
			return err
		}
		return y.complete(ctx, size)
	}
	y.count(lengthOf(y.need.extents))
	c := y.cutterOf(y.need.extents)
	if _, local := y.from.(*localSource); !local && y.need.chunk == 0 {
		c.size = y.what.size // each piece would be a request
	}
	for len(c.extents) > 0 {
		next, _ := c.next()
		if err := y.copyChunk(ctx, next); err != nil {
			return err
		}
	}
	return y.complete(ctx, y.what.size)
}

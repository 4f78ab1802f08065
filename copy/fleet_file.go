package copy

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"pace/limiter/fleet"
)

// doBegin begins a large file: it makes its part, and then adds its chunks, once. What turns out to be small is copied.
func (f *fleetRun) doBegin(ctx context.Context, t *task) error {
	it := t.item
	name := fileGroup(it.source, it.rel)
	seen, err := f.job.GroupSeen(ctx, name)
	if err != nil {
		return ofJob(err)
	}
	if !seen {
		begun, skipped, err := f.beginLarge(ctx, t, name)
		if !begun || err != nil {
			f.Progress.Grow(1, 0)
			return f.outcome(ctx, t, it.rel, skipped, err)
		}
	}
	return ofJob(f.job.Expect(ctx, f.parent(it.source, it.rel), name))
}

// beginLarge opens the group of a file that is to be copied by many. begun is false of one that is done with.
func (f *fleetRun) beginLarge(ctx context.Context, t *task, name string) (begun, skipped bool, err error) {
	it := t.item
	shelf, lands := f.shelves[it.source], f.lands(it.source, it.rel)
	from, err := shelf.file(it.rel)
	if err != nil {
		return false, false, err
	}
	defer from.close()
	what, err := from.open(ctx)
	if err != nil {
		return false, false, err
	}
	if what.size <= f.stripe() || !what.ranges {
		skipped, err = f.copyFound(ctx, t, it.rel, from, what)
		return false, skipped, err
	}
	t.synced = true
	if skipped, err = f.ground.stays(ctx, lands, shelf.shown(it.rel), from, what); skipped || err != nil {
		return false, skipped, err
	}
	if err := t.lease.Check(); err != nil {
		return false, false, err
	}
	to := f.ground.large(lands, from)
	defer to.close()
	token, chunk, err := to.begin(ctx, what, f.askChunk(what.size))
	if t.lease.Check() != nil {
		to.repair()
		return false, false, f.unbegin(to, token, name, it)
	}
	if err != nil {
		return false, false, err
	}
	all := fleetItem{
		kind: itemChunk, source: it.source, rel: it.rel,
		size: what.size, version: shelf.version(what), chunk: chunk, token: token,
	}
	end := all
	end.kind = itemFinish
	_, err = f.job.OpenGroup(ctx, fleet.Group{
		Name: name, End: fleet.Entry{Key: endKey(name), Payload: []byte(end.String())},
		Keys: rankFirst + name + "/", Items: int((what.size-1)/chunk + 1), PerKey: stripeChunks, Payload: all.String(),
	})
	f.feed.hungry.Store(true)
	if t.lease.Check() != nil {
		return false, false, f.unbegin(to, token, name, it)
	}
	return true, false, ofJob(err)
}

// unbegin is for who was too late: if the file has ended meanwhile, nobody else removes what was begun.
func (f *fleetRun) unbegin(to sharedSink, token, name string, it fleetItem) error {
	ctx, cancel := context.WithTimeout(context.Background(), fleetPatience)
	defer cancel()
	ended, err := f.job.HasEnded(ctx, f.parent(it.source, it.rel), name)
	if err == nil && ended {
		to.abort(ctx, token)
	}
	return fleet.ErrLost
}

// work is a large file as this worker has it open, for all of its chunks that are in hand.
type work struct {
	name string
	refs int // guarded by works.mu

	once    sync.Once
	err     error // of opening
	from    source
	what    found
	sink    sharedSink
	whole   bool
	buffers *preadDriver // where a chunk has to be gathered whole
}

// works are the large files that this worker has open.
type works struct {
	*fleetRun
	mu  sync.Mutex
	all map[string]*work
}

func (w *works) init(f *fleetRun) { w.fleetRun, w.all = f, map[string]*work{} }

// open opens both ends of a chunk's file, if they are not. The task holds them until it is dropped. What was opened in an
// era that is over is not what it seems: after a restart of Redis the file can have its name, and be begun again.
func (w *works) open(ctx context.Context, t *task) error {
	name := fmt.Sprint(fileGroup(t.item.source, t.item.rel), " ", t.era)
	w.mu.Lock()
	file := w.all[name]
	if file == nil {
		file = &work{name: name}
		w.all[name] = file
	}
	file.refs++
	t.work = file
	w.mu.Unlock()
	file.once.Do(func() { file.err = w.openEnds(ctx, file, t.item) })
	return file.err
}

// openEnds finds the source as begin has seen it, and the part.
func (f *fleetRun) openEnds(ctx context.Context, w *work, it fleetItem) error {
	shelf := f.shelves[it.source]
	from, err := shelf.file(it.rel)
	if err != nil {
		return err
	}
	w.from = from
	if w.what, err = from.open(ctx); err != nil {
		return err
	}
	if shelf.version(w.what) != it.version || w.what.size != it.size {
		return &ChangedError{shelf.shown(it.rel)}
	}
	w.sink = f.ground.large(f.lands(it.source, it.rel), from)
	if w.whole, err = w.sink.attach(ctx, it.token, w.what); err != nil {
		return err
	}
	if w.whole && it.chunk > f.chunk {
		w.buffers = newPreadDriver(it.chunk, true)
		if local, ok := from.(*localSource); ok {
			local.foreign = true
		}
	}
	return nil
}

func (w *work) close() {
	if w.sink != nil {
		w.sink.close()
	}
	if w.from != nil {
		w.from.close()
	}
	if w.buffers != nil {
		_ = w.buffers.close() // it only frees memory
	}
}

// drop lets go of what a task has open.
func (w *works) drop(t *task) {
	file := t.work
	if file == nil {
		return
	}
	t.work = nil
	w.mu.Lock()
	file.refs--
	last := file.refs == 0
	if last {
		delete(w.all, file.name)
	}
	w.mu.Unlock()
	if last {
		file.close()
	}
}

// closeAll closes what tasks hold that nobody does any more.
func (w *works) closeAll() {
	for _, file := range w.all {
		file.close()
	}
	clear(w.all)
}

// doChunk copies a chunk of a large file. That it fails is told by the file's end.
func (f *fleetRun) doChunk(ctx context.Context, t *task) error {
	err := f.works.open(ctx, t)
	if err == nil {
		err = f.copyFleetChunk(ctx, t)
	}
	switch {
	case err == nil:
		f.served.Store(true)
		return nil
	case errors.Is(err, errWhole):
		t.synced = true
		return nil
	}
	if e := f.itemError(ctx, t, err); e != nil {
		return e
	}
	t.failure = err.Error()
	return nil
}

func (f *fleetRun) copyFleetChunk(ctx context.Context, t *task) error {
	w, it := t.work, t.item
	y := &relay{
		run: f.run, src: f.shelves[it.source].shown(it.rel), dst: f.ground.shown(f.lands(it.source, it.rel)),
		from: w.from, what: w.what, to: fencedChunk{w.sink, t.lease.Check}, need: need{whole: w.whole}, buffers: f.driver,
	}
	c := cutter{extents: []extent{{it.at().off, it.at().off + it.at().n}}, size: it.chunk}
	if w.whole {
		if w.buffers != nil {
			y.buffers = w.buffers
		}
	} else if _, local := w.from.(*localSource); local { // of others each piece would be a request
		c.size = f.chunk
		var err error
		if c.extents, err = f.dataOf(w, c.extents[0]); err != nil {
			return err
		}
	}
	f.Progress.Grow(0, lengthOf(c.extents))
	for len(c.extents) > 0 {
		next, _ := c.next()
		if err := y.copyChunk(ctx, next); err != nil {
			return err
		}
	}
	t.bytes += y.moved.Load()
	return w.from.unchanged(ctx)
}

// dataOf returns where a source has data within e.
func (f *fleetRun) dataOf(w *work, e extent) ([]extent, error) {
	if file, m := localFile(w.from, w.what); file != nil && f.Sparse != SparseNever {
		return dataWithin(file, m, e)
	}
	return []extent{e}, nil
}

// fencedChunk is a file of many workers as the sink of one chunk: nothing is written once its lease is over.
type fencedChunk struct {
	sharedSink
	fence func() error
}

func (s fencedChunk) write(ctx context.Context, p []byte, off int64) error {
	if err := s.fence(); err != nil {
		return err
	}
	return s.sharedSink.write(ctx, p, off)
}

func (s fencedChunk) copiesItself() bool {
	to, ok := s.sharedSink.(storeCopier)
	return ok && to.copiesItself()
}

func (s fencedChunk) copyPart(ctx context.Context, c chunk) error {
	if err := s.fence(); err != nil {
		return err
	}
	return s.sharedSink.(storeCopier).copyPart(ctx, c)
}

// A chunk neither begins nor ends its file.
func (s fencedChunk) begin(context.Context, found) (need, error)         { return need{}, errWhole }
func (s fencedChunk) commit(context.Context, int64) (kept bool, _ error) { return false, errWhole }
func (s fencedChunk) abort(bool) bool                                    { return false }

// doFinish gives a large file its name, or says why it has failed.
func (f *fleetRun) doFinish(ctx context.Context, t *task) error {
	it := t.item
	f.Progress.Grow(1, 0)
	kept, err := f.finishLarge(ctx, t)
	if err != nil {
		if e := f.itemError(ctx, t, err); e != nil {
			return e
		}
		f.ground.large(f.lands(it.source, it.rel), nil).abort(ctx, it.token)
	}
	if err := f.outcome(ctx, t, it.rel, kept, err); err != nil {
		return err
	}
	return ofJob(f.job.Ended(ctx, f.parent(it.source, it.rel), fileGroup(it.source, it.rel)))
}

func (f *fleetRun) finishLarge(ctx context.Context, t *task) (kept bool, err error) {
	it := t.item
	if t.end != "" {
		return false, errors.New(t.end)
	}
	shelf := f.shelves[it.source]
	from, err := shelf.file(it.rel)
	if err != nil {
		return false, err
	}
	defer from.close()
	what, err := from.open(ctx)
	if err != nil {
		return false, err
	}
	if shelf.version(what) != it.version {
		return false, &ChangedError{shelf.shown(it.rel)}
	}
	to := f.ground.large(f.lands(it.source, it.rel), from)
	defer to.close()
	if _, err = to.attach(ctx, it.token, what); errors.Is(err, errWhole) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return to.commit(ctx, what, t.lease.Check)
}

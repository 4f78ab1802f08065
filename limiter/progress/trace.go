package progress

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pace/limiter"
)

// TraceLimit is how many operations a trace is worth keeping in memory: some 15 MB of them.
const TraceLimit = 100_000

// Did is what an operation was, for those who trace it.
type Did struct {
	Kind   string // such as chunk, fetch or hash
	Item   string // the path or URL that it was about
	Offset int64  // where in the item it began, in bytes
	Bytes  int64  // how many it moved, or read
	Err    error  // why it failed
}

// Record is one operation of a trace.
type Record struct {
	Start, End time.Duration // since the trace's Zero
	Worker     int           // as limiter.Worker has it; -1 where no worker did it
	Thread     int           // likewise; 0 for none
	Kind, Item string
	Offset     int64
	Bytes      int64
	Error      string
}

// Trace keeps what the operations of a run were: the first to end in full, as many as its limit says, and all of them in
// a Series.
type Trace struct {
	start time.Time
	limit int64
	ended atomic.Int64
	// parts are so many that workers hardly ever wait for each other, and few enough to stay in the CPUs' caches.
	parts []tracePart
}

// tracePart is what some of the workers did.
type tracePart struct {
	mu     sync.Mutex
	blocks [][]Record // guarded by mu; each but the last is full
	item   string     // of the latest of them; guarded by mu
	series *series    // of what has no record; guarded by mu; nil before the first
	_      [64]byte   // the next part's cache line is another one
}

const traceBlock = 64 // records; appending to one slice would copy all of them again and again

// Trace makes the counter keep up to limit operations from now on. It is to be called before the first begins.
func (c *Counter) Trace(limit int) *Trace {
	c.trace = &Trace{start: c.start, limit: int64(limit), parts: make([]tracePart, 4*runtime.GOMAXPROCS(0))}
	return c.trace
}

// Traced says whether anybody wants to know what the operation was.
func (o Operation) Traced() bool { return o.c != nil && o.c.trace != nil }

// EndAs finishes the operation as End does, and says what it was. ctx tells which worker did it.
func (o Operation) EndAs(ctx context.Context, did Did) {
	if o.c == nil {
		return
	}
	end := o.end()
	if o.c.trace != nil {
		o.c.trace.add(ctx, o.start, end, did)
	}
}

func (t *Trace) add(ctx context.Context, start, end time.Duration, did Did) {
	end = max(end, start+time.Microsecond) // it has a rate
	w, ok := limiter.WorkerOf(ctx)
	if !ok {
		w.Number = -1
	}
	p := &t.parts[max(w.Number, 0)%len(t.parts)]
	if t.ended.Add(1) > t.limit {
		p.sum(start, end, did.Bytes)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.next()
	r.Start, r.End, r.Worker, r.Thread = start, end, w.Number, w.Thread
	r.Kind, r.Offset, r.Bytes = did.Kind, did.Offset, did.Bytes
	if did.Item != p.item {
		p.item = strings.Clone(did.Item) // it may be a piece of a whole page, which it would keep in memory
	}
	r.Item = p.item
	if did.Err != nil {
		r.Error = did.Err.Error()
	}
}

func (p *tracePart) sum(start, end time.Duration, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.series == nil {
		p.series = newSeries()
	}
	p.series.add(start, end, bytes)
}

// next returns a new record. It requires that mu is held.
func (p *tracePart) next() *Record {
	last := len(p.blocks) - 1
	if last < 0 || len(p.blocks[last]) == traceBlock {
		p.blocks = append(p.blocks, make([]Record, 0, traceBlock))
		last++
	}
	n := len(p.blocks[last])
	p.blocks[last] = p.blocks[last][:n+1]
	return &p.blocks[last][n]
}

// Zero is the moment that the times of the records count from.
func (t *Trace) Zero() time.Time { return t.start }

// Operations returns how many operations have ended, and how many of them have no record.
func (t *Trace) Operations() (all, leftOut int64) {
	all = t.ended.Load()
	return all, max(all-t.limit, 0)
}

// Records returns the first operations to end, in the order in which they began.
func (t *Trace) Records() []*Record {
	all := make([]*Record, 0, min(t.ended.Load(), t.limit))
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		for _, b := range p.blocks {
			for k := range b {
				all = append(all, &b[k])
			}
		}
		p.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b *Record) int {
		if a.Start != b.Start {
			return cmp.Compare(a.Start, b.Start)
		}
		return cmp.Compare(a.Worker, b.Worker)
	})
	return all
}

// Series returns what went on over time. It is to be called once, when no operation runs any more.
func (t *Trace) Series() Series {
	sum := newSeries()
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		for _, b := range p.blocks {
			for k := range b {
				sum.add(b[k].Start, b[k].End, b[k].Bytes)
			}
		}
		if p.series != nil {
			sum.merge(p.series)
		}
		p.mu.Unlock()
	}
	return sum.values()
}

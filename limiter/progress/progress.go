// Package progress counts what a run does, for those who watch it and for its report. It knows no terminal.
package progress

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// maxErrors is how many failures a report names; all are counted.
const maxErrors = 100

// Counter is what a run has done so far. Workers only add to it and never wait for one who reads it.
//
// A Counter comes from [New]. All methods of a nil Counter do nothing.
type Counter struct {
	start time.Time

	itemsTotal, items, itemsFailed, itemsSkipped atomic.Int64
	bytesTotal, bytes                            atomic.Int64
	known                                        atomic.Bool
	inFlight, inFlightPeak                       atomic.Int64
	busy, limited                                overlap
	trace                                        *Trace // nil for none
	workers                                      atomic.Int64
	watcher                                      atomic.Pointer[func(bytes, items int64)]

	mu      sync.Mutex
	latency *hdrhistogram.Histogram // microseconds; guarded by mu
	errors  []ItemError             // guarded by mu
}

// New returns a Counter whose clock starts now.
func New() *Counter {
	return &Counter{start: time.Now(), latency: hdrhistogram.New(1, time.Hour.Microseconds(), 3)}
}

// ItemError is one failed item, or what else failed, and why.
type ItemError struct {
	Item  string `json:"item"`
	Error string `json:"error"`
}

// Snapshot is a Counter at one moment. Its numbers are each right, but not from exactly the same instant.
type Snapshot struct {
	Elapsed      time.Duration // since the run began
	ItemsTotal   int64         // files or pages known of
	Items        int64         // files or pages finished, the failed ones too
	ItemsFailed  int64
	ItemsSkipped int64
	BytesTotal   int64 // bytes known of; 0 where a tool cannot tell
	Bytes        int64 // bytes moved by this run
	InFlight     int64 // operations executing, those that wait for a limit not counted
	TotalKnown   bool  // the totals grow no more
	Workers      int64 // that may be in flight at once now, where that changes; otherwise 0
}

// Totals is what a run did, read at its end.
type Totals struct {
	Items        int64 // files or pages finished, the failed ones too
	ItemsFailed  int64
	ItemsSkipped int64
	Bytes        int64         // moved by this run
	Busy         time.Duration // wall time in which some worker held a job, waiting for a limit or executing
	LimiterWait  time.Duration // wall time in which some worker stood idle only for a rate or a delay
	InFlightPeak int64         // most operations executing at once
	Latency      Latency
	Errors       []ItemError // the first 100
}

// Latency is the distribution of the time that one operation took, without its waits for a limit.
type Latency struct {
	P50, P90, P99, Max time.Duration
}

// Grow adds to what is known of: items, and bytes where the tool can tell.
func (c *Counter) Grow(items, bytes int64) {
	if c == nil {
		return
	}
	c.itemsTotal.Add(items)
	c.bytesTotal.Add(bytes)
}

// SetTotalKnown says that Grow will not be called any more.
func (c *Counter) SetTotalKnown() {
	if c != nil {
		c.known.Store(true)
	}
}

// AddBytes counts bytes that were moved.
func (c *Counter) AddBytes(n int64) {
	if c != nil {
		c.bytes.Add(n)
		c.tell(n, 0)
	}
}

// ItemDone counts an item that ended well.
func (c *Counter) ItemDone() {
	if c != nil {
		c.items.Add(1)
		c.tell(0, 1)
	}
}

// ItemSkipped counts an item that was left out, as its user wished.
func (c *Counter) ItemSkipped() {
	if c != nil {
		c.itemsSkipped.Add(1)
	}
}

// ItemFailed counts an item that failed, and keeps why for the report.
func (c *Counter) ItemFailed(item string, err error) {
	if c == nil {
		return
	}
	c.items.Add(1)
	c.itemsFailed.Add(1)
	c.Failed(item, err)
}

// Failed keeps for the report why something failed that is no item.
func (c *Counter) Failed(what string, err error) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.errors) < maxErrors {
		c.errors = append(c.errors, ItemError{Item: what, Error: err.Error()})
	}
}

// Operation is one chunk or request that is executing.
type Operation struct {
	c     *Counter
	start time.Duration
}

// Begin starts an operation; its End must be called.
func (c *Counter) Begin() Operation {
	if c == nil {
		return Operation{}
	}
	now := time.Since(c.start)
	c.busy.enter(now)
	n := c.inFlight.Add(1)
	for {
		peak := c.inFlightPeak.Load()
		if n <= peak || c.inFlightPeak.CompareAndSwap(peak, n) {
			return Operation{c: c, start: now}
		}
	}
}

// End finishes the operation and records how long it took.
func (o Operation) End() { o.EndAs(context.Background(), Did{}) }

// end returns when the operation has ended.
func (o Operation) end() (now time.Duration) {
	now = time.Since(o.c.start)
	o.c.inFlight.Add(-1)
	o.c.busy.leave(now)
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	// Above an hour, the highest trackable value stands for it.
	us := min((now - o.start).Microseconds(), o.c.latency.HighestTrackableValue())
	_ = o.c.latency.RecordValue(us)
	return now
}

// Wait is the time in which a worker stands idle for a rate or a delay.
type Wait struct{ c *Counter }

// BeginWait starts such a time; its End must be called.
func (c *Counter) BeginWait() Wait {
	if c != nil {
		now := time.Since(c.start)
		c.busy.enter(now)
		c.limited.enter(now)
	}
	return Wait{c}
}

// End finishes the wait.
func (w Wait) End() {
	if w.c != nil {
		now := time.Since(w.c.start)
		w.c.limited.leave(now)
		w.c.busy.leave(now)
	}
}

// Snapshot returns the counts at this moment. It takes no lock.
func (c *Counter) Snapshot() Snapshot {
	if c == nil {
		return Snapshot{}
	}
	return Snapshot{
		Elapsed:      time.Since(c.start),
		ItemsTotal:   c.itemsTotal.Load(),
		Items:        c.items.Load(),
		ItemsFailed:  c.itemsFailed.Load(),
		ItemsSkipped: c.itemsSkipped.Load(),
		BytesTotal:   c.bytesTotal.Load(),
		Bytes:        c.bytes.Load(),
		InFlight:     c.inFlight.Load(),
		TotalKnown:   c.known.Load(),
		Workers:      c.workers.Load(),
	}
}

// Totals returns what the run did.
func (c *Counter) Totals() Totals {
	if c == nil {
		return Totals{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Since(c.start)
	busy := c.busy.value(now)
	quantile := func(q float64) time.Duration {
		return time.Duration(c.latency.ValueAtQuantile(q)) * time.Microsecond
	}
	return Totals{
		Items:        c.items.Load(),
		ItemsFailed:  c.itemsFailed.Load(),
		ItemsSkipped: c.itemsSkipped.Load(),
		Bytes:        c.bytes.Load(),
		Busy:         busy,
		LimiterWait:  min(c.limited.value(now), busy), // a goroutine may be stopped between telling both
		InFlightPeak: c.inFlightPeak.Load(),
		Latency: Latency{
			P50: quantile(50), P90: quantile(90), P99: quantile(99),
			Max: time.Duration(c.latency.Max()) * time.Microsecond,
		},
		Errors: append([]ItemError(nil), c.errors...),
	}
}

package crawl

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// merges lets pebble merge its files, one merge at a time, from begin on. Before, it lets none start: pebble.Open would
// wait for the end of a merge that begins as soon as the log is replayed, and one of a large state takes ten seconds.
//
// It is a pebble.CompactionScheduler and the handle of the merge that runs. mu is never held while pebble is called,
// which calls with its own mutex held.
type merges struct {
	db    pebble.DBForCompaction // set before all else is called
	calls sync.WaitGroup         // of db

	mu      sync.Mutex
	begun   bool
	ended   bool
	running bool // a merge, or the one who asks pebble for the next
	refused bool // pebble wanted to start one since it was last asked: it has it ready, and waits to be told
}

// begin lets merges start.
func (m *merges) begin() {
	m.mu.Lock()
	m.begun = true
	m.mu.Unlock()
	m.start()
}

// start runs the merge that waits, if any does and none runs.
func (m *merges) start() {
	for m.take() {
		waiting, _ := m.db.GetWaitingCompaction()
		scheduled := waiting && m.db.Schedule(m)
		m.calls.Done()
		if scheduled || !m.giveBack() {
			return
		}
	}
}

// take claims the turn to ask pebble, who is then to be told by calls that it is over.
func (m *merges) take() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.begun || m.ended || m.running {
		return false
	}
	m.running, m.refused = true, false
	m.calls.Add(1)
	return true
}

// giveBack ends a turn that started no merge. It says whether pebble was refused one meanwhile.
func (m *merges) giveBack() (again bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = false
	return m.refused
}

// Register implements pebble.CompactionScheduler, as do the next three.
func (m *merges) Register(_ int, db pebble.DBForCompaction) { m.db = db }

// Unregister returns when pebble is no longer called.
func (m *merges) Unregister() {
	m.mu.Lock()
	m.ended = true
	m.mu.Unlock()
	m.calls.Wait()
}

// TrySchedule says whether a merge may start now.
func (m *merges) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.begun || m.ended || m.running {
		m.refused = true
		return false, nil
	}
	m.running = true
	return true, m
}

// UpdateGetAllowedWithoutPermission tells of another limit than one at a time, of which there is none.
func (m *merges) UpdateGetAllowedWithoutPermission() {}

// Done implements pebble.CompactionGrantHandle, as do the next three. It is called without pebble's mutex.
func (m *merges) Done() {
	m.mu.Lock()
	m.running = false
	m.mu.Unlock()
	m.start()
}

// Started does nothing.
func (m *merges) Started() {}

// MeasureCPU does nothing.
func (m *merges) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats does nothing.
func (m *merges) CumulativeStats(pebble.CompactionGrantHandleStats) {}

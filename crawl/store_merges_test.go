package crawl

import (
	"encoding/binary"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// mergeable is a database that wants merges as pebble does: it asks once, and then waits to be told.
type mergeable struct {
	mu      sync.Mutex
	m       *merges
	want    int
	waiting bool
	running int
	asking  func() // is called while merges asks, if not nil
}

// ask is what pebble does after each flush and each merge.
func (d *mergeable) ask() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.want > 0 && !d.waiting {
		if ok, _ := d.m.TrySchedule(); !ok {
			d.waiting = true
			return
		}
		d.run()
	}
}

func (d *mergeable) run() {
	d.want--
	d.running++
}

// end ends the merge that runs.
func (d *mergeable) end() {
	d.mu.Lock()
	d.running--
	d.mu.Unlock()
	d.m.Done()
}

func (d *mergeable) GetAllowedWithoutPermission() int { return 1 }

func (d *mergeable) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	d.mu.Lock()
	d.waiting = d.waiting && d.want > 0
	waiting, asking := d.waiting, d.asking
	d.asking = nil
	d.mu.Unlock()
	if asking != nil {
		asking()
	}
	return waiting, pebble.WaitingCompaction{}
}

func (d *mergeable) Schedule(pebble.CompactionGrantHandle) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.waiting {
		return false
	}
	d.run()
	return true
}

// No merge starts before begin, then one at a time, and each that is waited for in the end.
func TestMerges(t *testing.T) {
	d := &mergeable{m: &merges{}}
	d.m.Register(1, d)
	more := func(n int) {
		d.mu.Lock()
		d.want += n
		d.mu.Unlock()
		d.ask()
	}
	check := func(when string, want, running int) {
		t.Helper()
		if d.want != want || d.running != running {
			t.Fatalf("%s: %d wait and %d run, want %d and %d", when, d.want, d.running, want, running)
		}
	}
	more(2)
	check("before begin", 2, 0)
	d.m.begin()
	check("begun", 1, 1)
	d.end()
	check("one has ended", 0, 1)
	d.end()
	check("all have ended", 0, 0)
	more(2)
	check("asked while none runs", 1, 1)

	// It finds that nothing waits, and before it has taken note of that something does.
	d.end()
	d.mu.Lock()
	d.asking = func() { more(1) }
	d.mu.Unlock()
	d.end()
	check("asked in between", 0, 1)
	d.end()

	more(1)
	more(1)
	d.m.Unregister()
	d.end()
	check("after the end", 1, 0)
	more(1)
	check("after the end", 2, 0)
}

// Opening a database waits for no merge, though there is one to make; and merges are made in the end.
func TestStoreOpensUnmerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := vfs.NewMem()
		open := func() *store {
			s, err := openStore("state", nil, files)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		const runs = 20 // each open writes out the log of the run before
		for run := range runs {
			s := open()
			if err := s.set([]byte("same"), binary.BigEndian.AppendUint64(nil, uint64(run))); err != nil {
				t.Fatal(err)
			}
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
		}
		s := open()
		synctest.Wait()
		if m := s.db.Metrics(); m.Compact.Count > 0 || m.Compact.NumInProgress > 0 || m.Levels[0].Sublevels != runs {
			t.Errorf("opened, there are %d merges and %d layers, want none and %d", m.Compact.Count, m.Levels[0].Sublevels, runs)
		}
		s.merges.begin()
		synctest.Wait()
		if m := s.db.Metrics(); m.Compact.Count == 0 || m.Levels[0].Sublevels != 0 {
			t.Errorf("begun, there are %d merges and %d layers, want one and none", m.Compact.Count, m.Levels[0].Sublevels)
		}
		if value, err := s.get([]byte("same")); err != nil || binary.BigEndian.Uint64(value) != runs-1 {
			t.Errorf("the value is %v, %v", value, err)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	})
}

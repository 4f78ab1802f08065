package copy

import (
	"slices"
	"sync"

	"pace/limiter/fleet"
)

// A Redis that is restarted may have lost its last writes. What it lost of the items is done again, for what they led to is
// not acknowledged then (see fleet.Era). But that a folder was made can be noted only once: the next worker finds it there,
// and would take it for one that was there before the job. So those who have made folders tell it again.

const (
	mostMade = 1 << 16 // are remembered: it loses no more of them within a second or two
	remindBy = 1000    // in one round trip
)

// madeFolders are the folders that this worker has made of late.
type madeFolders struct {
	mu    sync.Mutex
	notes []fleet.Entry // guarded by mu, as is next
	next  int           // to be overwritten, when they are the most
}

func (m *madeFolders) add(note fleet.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.notes) < mostMade {
		m.notes = append(m.notes, note)
		return
	}
	m.notes[m.next] = note
	m.next = (m.next + 1) % mostMade
}

func (m *madeFolders) all() []fleet.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.notes)
}

// remind tells a server that was restarted what it may have lost. Nobody else can begin the job anew meanwhile, or end what
// was begun: in a new era nothing is leased for a while.
func (e *fleetFeed) remind() error {
	era := e.job.Era()
	if era == e.era {
		return nil
	}
	e.era = era
	if err := e.sharePlan(e.ctx); err != nil {
		return err
	}
	for notes := range slices.Chunk(e.made.all(), remindBy) {
		if _, err := e.job.Add(e.ctx, notes...); err != nil {
			return err
		}
	}
	return e.start()
}

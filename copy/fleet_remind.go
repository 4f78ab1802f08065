package copy

import (
	"context"
	"errors"
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
	if err := e.remark(e.ctx); err != nil {
		return err
	}
	for notes := range slices.Chunk(e.made.all(), remindBy) {
		if _, err := e.job.Add(e.ctx, notes...); err != nil {
			return err
		}
	}
	return e.start()
}

// remark puts the mark there again if the job's end has removed it and the server has lost that end.
func (f *fleetRun) remark(ctx context.Context) error {
	shared, _, err := f.job.Shared(ctx)
	if err != nil || shared[sharedSettled] != "" {
		return err
	}
	id := f.job.Record().ID
	if err = f.ground.marked(ctx, id); !errors.Is(err, errNoMark) {
		return err
	}
	if err = f.ground.mark(ctx, id); err != nil && f.ground.marked(ctx, id) == nil {
		return nil // another worker was faster
	}
	return err
}

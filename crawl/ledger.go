package crawl

import "sync"

// ledger closes items: what the outputs keep of one, and what the frontier does with it, are settled together or not at
// all. A crash at any moment leaves no page that counts as done without its record in the outputs, and a resume cuts the
// outputs back to the records of pages that count.
//
// Entries are rendered by their workers, at the same time. One worker at a time has the turn and settles all that wait
// with it: every write first, then one commit of the frontier, which carries how long the outputs' files are. So under
// load many pages share one commit, and with sync set one fsync.
type ledger struct {
	outputs  *outputs
	frontier frontier
	durable  bool         // the frontier outlives the run, and wants to know the outputs' lengths
	before   func() error // is called before pages count, if not nil
	sync     bool         // outputs reach the device before what counts on them does

	mu      sync.Mutex
	waiting []*entry
	taken   bool  // someone has the turn
	err     error // the first; after it nothing is settled, since an output may end in half a record
}

// entry is one item to be closed.
type entry struct {
	closing *closing // nil writes nothing
	change  change
	moved   bool // after close: a redirect's target was new, and the item waits there
	lost    bool // after close: the item is another worker's by now, and nothing was written

	writes []func() error
	err    error
	turn   chan bool // true gives the turn, false says that it is settled
}

// close settles an entry and returns when it counts.
func (l *ledger) close(e *entry) error {
	if !e.redirected() {
		if err := l.render(e); err != nil {
			return err
		}
	}
	if !l.durable {
		return l.alone(e)
	}
	e.turn = make(chan bool, 1)
	if l.join(e) || <-e.turn {
		group := l.group()
		err := l.settle(group)
		l.pass(e, group, err)
	}
	return e.err
}

// alone settles an entry by itself: where a commit costs next to nothing, to wait for a lock is cheaper than to be woken.
func (l *ledger) alone(e *entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.err = l.settle([]*entry{e}); l.err == nil {
		l.err = e.err
	}
	return e.err
}

// redirected says whether an item is to move unless its target has been seen. Which of both it is shows in its turn, so
// it is rendered there.
func (e *entry) redirected() bool { return e.change.to != (URL{}) && e.change.item.robots == nil }

func (l *ledger) render(e *entry) (err error) {
	if e.closing != nil {
		e.writes, err = l.outputs.render(e.closing)
	}
	return err
}

// join queues an entry and says whether the turn is its worker's at once.
func (l *ledger) join(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, e)
	if l.taken {
		return false
	}
	l.taken = true
	return true
}

// group returns all that wait. It requires the turn.
func (l *ledger) group() []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	group := l.waiting
	l.waiting = nil
	return group
}

// settle writes and commits a group. It requires the turn.
func (l *ledger) settle(group []*entry) error {
	if l.err != nil {
		return l.err
	}
	changes := make([]*change, len(group))
	for i, e := range group {
		if err := l.write(e); err != nil {
			return err
		}
		changes[i] = &e.change
	}
	var marks []byte
	if l.durable {
		var err error
		if marks, err = l.outputs.marks(); err != nil {
			return err
		}
	}
	if l.sync {
		if err := l.outputs.sync(); err != nil {
			return err
		}
	}
	if l.before != nil {
		if err := l.before(); err != nil {
			return err
		}
	}
	return l.frontier.commit(changes, marks)
}

// write appends an entry to the outputs. It requires the turn.
func (l *ledger) write(e *entry) error {
	if it := e.change.item; it != nil && it.robots == nil && !holds(l.frontier, it) {
		e.lost, e.change = true, change{item: it}
		return nil
	}
	if e.redirected() {
		isNew, err := l.reserve(&e.change)
		if err != nil {
			return err
		}
		if e.moved = isNew; !isNew {
			e.change.to = URL{}
		} else if e.closing != nil {
			e.closing.record = nil
		}
		if err := l.render(e); err != nil {
			return err
		}
	}
	for _, write := range e.writes {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// reserve notes where a redirect moves an item, and says whether that is new.
func (l *ledger) reserve(c *change) (bool, error) {
	if c.item.check && !c.follow {
		if known, err := l.frontier.knows(c.to.String()); known || err != nil {
			return false, err
		}
	}
	return l.frontier.reserve(c.moved().seenAs(c.to))
}

// pass tells a group how it ended and gives the turn to one who came meanwhile.
func (l *ledger) pass(leader *entry, group []*entry, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
	for _, e := range group {
		if e.err = err; e != leader {
			e.turn <- false
		}
	}
	if l.taken = len(l.waiting) > 0; l.taken {
		l.waiting[0].turn <- true
	}
}

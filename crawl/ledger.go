package crawl

import "sync"

// ledger closes exchanges, so that each is in all outputs once before the frontier counts it.
type ledger struct {
	mu      sync.Mutex
	outputs []output
}

// close renders an exchange for each output while others do the same, and then, in turn, writes it and calls move, which
// takes the frontier on. After an error nothing counts as done: the run cannot go on.
func (l *ledger) close(p *closing, move func()) error {
	if len(l.outputs) == 0 {
		move()
		return nil
	}
	writes := make([]func() error, 0, 4)
	for _, out := range l.outputs {
		write, err := out.render(p)
		if err != nil {
			return err
		}
		if write != nil {
			writes = append(writes, write)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, write := range writes {
		if err := write(); err != nil {
			return err
		}
	}
	move()
	return nil
}

// end closes the outputs. They count as finished also where the run was cut short, for nothing could go on with them.
func (l *ledger) end() error {
	var first error
	for _, out := range l.outputs {
		if err := out.close(true); err != nil && first == nil {
			first = err
		}
	}
	return first
}

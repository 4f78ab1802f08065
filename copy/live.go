package copy

import "sync"

// live is what has descriptors open between jobs. A run that is stopped closes them.
type live struct {
	mu  sync.Mutex
	all map[abandoner]bool
}

type abandoner interface{ abandon() }

func (l *live) add(a abandoner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[a] = true
}

func (l *live) remove(a abandoner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, a)
}

// abandon closes all, files before the directories that they are in. No job runs any more.
func (l *live) abandon() {
	for a := range l.all {
		if _, ok := a.(shared); ok {
			a.abandon()
			delete(l.all, a)
		}
	}
	for a := range l.all {
		a.abandon()
		delete(l.all, a)
	}
}

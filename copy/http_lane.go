package copy

import (
	"context"
	"net/url"
	"sync"
	"time"
)

// lane is the way to one server, which may be asked to be taken less often and by fewer at a time.
type lane struct {
	stride

	mu      sync.Mutex
	changed chan struct{} // closed when one of the others changes
	active  int           // requests
	most    int           // of them; 0 is unlimited
	until   time.Time     // before which none is to start
	strikes int           // refusals in a row with nothing else under way
	good    int           // answers since most was last changed
	down    bool          // not even one alone was answered

	together time.Time // when there was last more than one
}

// newLane returns one that takes so many at a time; 0 is unlimited.
func newLane(most int) *lane { return &lane{changed: make(chan struct{}), most: most} }

// lanes are those of all servers.
type lanes struct {
	mu  sync.Mutex
	all map[string]*lane
}

func (l *lanes) to(u *url.URL) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := u.Scheme + "://" + u.Host
	if l.all == nil {
		l.all = map[string]*lane{}
	}
	if l.all[key] == nil {
		l.all[key] = newLane(0)
	}
	return l.all[key]
}

// enter waits until one more request may start. It takes its place, and leave gives that back.
func (l *lane) enter(ctx context.Context) error {
	for ctx.Err() == nil {
		l.mu.Lock()
		wait := time.Until(l.until)
		if wait <= 0 && (l.most == 0 || l.active < l.most) {
			l.active++
			l.meet()
			l.mu.Unlock()
			return nil
		}
		changed := l.changed
		l.mu.Unlock()
		if err := await(ctx, changed, wait); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// await waits for the first of three. A time that is over does not count.
func await(ctx context.Context, changed <-chan struct{}, wait time.Duration) error {
	var due <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-changed:
	case <-due:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// longestWait is for how long a server may ask. Who is told more than that should rather know, and come back.
const longestWait = time.Hour

// raiseAfter is how many good answers let one more request through again.
const raiseAfter = 16

// leave ends a request. good says that it brought what was asked for.
func (l *lane) leave(good bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.meet()
	l.active--
	if good {
		l.strikes = 0
		if l.down {
			l.most, l.good, l.down = 0, 0, false
		}
		if l.good++; l.most > 0 && l.good >= raiseAfter {
			l.most, l.good = l.most+1, 0
		}
	}
	l.change()
}

// lost is told of a request that got no answer and has not left. It returns true if there were others since it began, and it
// is to enter again: there are servers that take few connections at a time, and close or forget the others. When one that
// was alone gets no answer either, that was not the reason, and all may come back with the next answer.
func (l *lane) lost(began time.Time) (crowded bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.meet()
	if l.together.Before(began) {
		l.down = true
		return false
	}
	l.most, l.good = max(l.active-1, 1), 0
	return true
}

// meet notes whether there is more than one. It requires that mu is held.
func (l *lane) meet() {
	if l.active > 1 {
		l.together = time.Now()
	}
}

// change wakes all who wait. It requires that mu is held.
func (l *lane) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// refused is told of a 429 or 503 of a request that has not left, and of how long the server asks to wait, if it does. It
// returns for how long all are to wait now, and false when waiting has not helped so often that it will not, or is longer
// than longestWait.
//
// Fewer at a time may be all that the server wants: as long as others are under way, this one waits for its turn.
func (l *lane) refused(
	asked time.Duration, retries int, backoff func(int) time.Duration,
) (wait time.Duration, again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if asked > longestWait {
		return asked, false
	}
	alone := l.active == 1
	l.most, l.good = max(l.active-1, 1), 0
	if wait = asked; alone {
		if l.strikes++; l.strikes > retries {
			return 0, false
		}
		if asked <= 0 {
			wait = backoff(l.strikes)
		}
	}
	if until := time.Now().Add(wait); wait > 0 && until.After(l.until) {
		l.until = until
	}
	l.change()
	return wait, true
}

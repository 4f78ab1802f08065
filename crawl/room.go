package crawl

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// roomForAll is how many bytes large pages may take together: their bodies, what decodes them, and what is made of
	// them until all outputs have them.
	roomForAll = 40 << 20
	// roomForNothing is how many of those bytes each page has without asking. Nearly all pages need no more.
	roomForNothing = 512 << 10
	// roomUnasked bounds what that comes to over all workers.
	roomUnasked = 32 << 20
)

// room is the memory that the pages of a crawl share. Who wants more than there is waits, first come first served, and
// meanwhile reads nothing: TCP holds the server up. It cannot come to a standstill, for the first that has to wait may go
// beyond the room, if nobody else does, and takes what it wants until it gives all back. So a crawl needs what the room
// has and one page more, whatever servers send. A page of any size comes through, and those of which each is larger than
// the room come one at a time.
//
// Who holds a share must not wait for another that does but in take.
type room struct {
	size int64
	free int64         // of each share
	tidy func(n int64) // called before n more bytes are made

	mu      sync.Mutex
	used    int64
	beyond  *share // has the right to go beyond size; nil for nobody
	waiting []*claim
}

// claim is what someone waits for.
type claim struct {
	share   *share
	n       int64
	granted chan struct{}
}

// newRoom returns the room for so many workers.
func newRoom(workers int) *room {
	return &room{size: roomForAll, free: min(roomForNothing, roomUnasked/int64(max(workers, 1))), tidy: collectGarbage}
}

// share is what one page has taken. It serves one goroutine. The zero share, without a room, has no bound.
type share struct {
	room *room
	need int64 // what is in use
	held int64 // of the room: need but for what is free, or 0
}

// take gets n bytes more, and returns how long that took. The error is why ctx ended; then nothing is taken.
func (s *share) take(ctx context.Context, n int64) (time.Duration, error) {
	if s.room == nil {
		return 0, nil
	}
	more := s.need + n - s.room.free - s.held
	if more <= 0 {
		s.need += n
		return 0, nil
	}
	waited, err := s.room.take(ctx, s, more)
	if err != nil {
		return waited, err
	}
	s.need += n
	s.held += more
	s.room.tidy(more)
	return waited, nil
}

// give gives n bytes back. A page that has gone beyond the room keeps that right until it has given back all.
func (s *share) give(n int64) {
	if s.room == nil {
		return
	}
	s.need -= n
	if less := s.held - max(s.need-s.room.free, 0); less > 0 {
		s.held -= less
		s.room.give(s, less)
	}
}

// giveAll gives back everything.
func (s *share) giveAll() { s.give(s.need) }

func (r *room) take(ctx context.Context, s *share, n int64) (time.Duration, error) {
	r.mu.Lock()
	if r.beyond == s || len(r.waiting) == 0 && r.used+n <= r.size {
		r.used += n
		r.mu.Unlock()
		return 0, nil
	}
	c := &claim{share: s, n: n, granted: make(chan struct{})}
	r.waiting = append(r.waiting, c)
	r.grant()
	r.mu.Unlock()
	began := time.Now()
	select {
	case <-c.granted:
		return time.Since(began), nil
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.waiting, c); i >= 0 {
		r.waiting = slices.Delete(r.waiting, i, i+1)
	} else {
		r.used -= n // it was granted at the same moment
		r.leave(s)
	}
	r.grant()
	return time.Since(began), context.Cause(ctx)
}

func (r *room) give(s *share, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= n
	r.leave(s)
	r.grant()
}

// leave ends a share's right to go beyond the room when it holds nothing of it. It requires that mu is held.
func (r *room) leave(s *share) {
	if r.beyond == s && s.held == 0 {
		r.beyond = nil
	}
}

// grant lets go who may, in turn. It requires that mu is held.
func (r *room) grant() {
	for len(r.waiting) > 0 {
		c := r.waiting[0]
		if r.used+c.n > r.size {
			if r.beyond != nil {
				return
			}
			r.beyond = c.share
		}
		r.used += c.n
		r.waiting = slices.Delete(r.waiting, 0, 1)
		close(c.granted)
	}
}

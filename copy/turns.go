package copy

import (
	"context"
	"sync"
)

// turns lets the bytes of a file by in their order only. Whoever comes before its turn waits, with a chunk in its hands.
// Chunks are handed out in order, so that somebody always has the next one.
type turns struct {
	mu   sync.Mutex
	turn sync.Cond
	next int64 // offset; guarded by mu
}

func newTurns() *turns {
	t := &turns{}
	t.turn.L = &t.mu
	return t
}

// take calls do when all bytes before an offset have had their turn, and after it the turn is of those n bytes further on.
// After an error of do it stays where it is. The other error is why ctx ended.
func (t *turns) take(ctx context.Context, off, n int64, do func() error) error {
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.turn.Broadcast()
	})
	defer stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.next != off && ctx.Err() == nil {
		t.turn.Wait()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := do(); err != nil {
		return err
	}
	t.next += n
	t.turn.Broadcast()
	return nil
}

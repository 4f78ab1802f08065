package site

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// grace is how long answers that are being sent when a site ends may still take. Those that wait are cut at once.
const grace = 300 * time.Millisecond

// Serve answers on the listener, at most MaxConns connections at once, until ctx is cancelled, which is no error. When it
// returns, the listener is closed and all requests are done with.
func (s *Site) Serve(ctx context.Context, l net.Listener) error {
	var t *turns
	if s.o.MaxConns > 0 {
		t = newTurns(l, s.o.MaxConns)
		l = t
	}
	server := s.server(t)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		_ = server.Close()
	}
	if err == nil {
		err = <-ended
	}
	s.running.wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// running counts the requests whose handlers have not ended. Unlike those of [Stats], they may have their whole answer.
type running struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n becomes 0; nil while nobody waits
}

func (r *running) enter() {
	r.mu.Lock()
	r.n++
	r.mu.Unlock()
}

func (r *running) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n--; r.n == 0 && r.none != nil {
		close(r.none)
		r.none = nil
	}
}

func (r *running) wait() {
	r.mu.Lock()
	if r.n == 0 {
		r.mu.Unlock()
		return
	}
	none := make(chan struct{})
	r.none = none
	r.mu.Unlock()
	<-none
}

package site

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"pace/limiter"
)

// connection is what the site knows of a connection of its own server. A nil *connection is one of another's.
type connection struct {
	id    int64 // from 1 on, in the order in which they came
	conn  net.Conn
	turns *turns
	rate  *limiter.Rate // nil is unlimited
}

type connectionKey struct{}

// crowded tells whether another connection waits for this one to end.
func (c *connection) crowded() bool { return c != nil && c.turns != nil && c.turns.waiting.Load() }

// abort ends the handler and has the server close the connection, without the rest of the answer.
func (c *connection) abort() { panic(http.ErrAbortHandler) }

// reset is abort, by which the client's system is told that the connection is broken and not that it has ended: the close
// of a socket that does not linger discards what it has not yet sent, and sends RST (socket(7), SO_LINGER).
func (c *connection) reset() {
	if c != nil {
		if tcp, ok := c.conn.(interface{ SetLinger(int) error }); ok {
			_ = tcp.SetLinger(0) // an error means that the connection is broken already
		}
	}
	c.abort()
}

// turns is a listener whose connections are served a few at a time. While one waits for its turn, answers on the others end
// their connection, and one that is between two requests is closed: a client that keeps its connection would else keep all
// others waiting.
type turns struct {
	net.Listener
	serving chan struct{} // has an element for each connection that is served
	waiting atomic.Bool
	closing sync.Once
	closed  chan struct{}

	mu   sync.Mutex
	idle map[net.Conn]struct{} // those between two requests
}

func newTurns(l net.Listener, most int) *turns {
	return &turns{
		Listener: l, serving: make(chan struct{}, most), closed: make(chan struct{}), idle: map[net.Conn]struct{}{},
	}
}

// Accept returns the next connection when its turn has come. Those after it wait in the system's queue.
func (t *turns) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case t.serving <- struct{}{}:
		return c, nil
	default:
	}
	t.want(true)
	defer t.want(false)
	select {
	case t.serving <- struct{}{}:
		return c, nil
	case <-t.closed:
		_ = c.Close()
		return nil, net.ErrClosed
	}
}

// want says whether a connection waits, and makes room for it if one is idle.
func (t *turns) want(waiting bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting.Store(waiting)
	if !waiting {
		return
	}
	for c := range t.idle {
		_ = c.Close()
		return
	}
}

// Close makes Accept return. Connections that are being served stay.
func (t *turns) Close() error {
	t.closing.Do(func() { close(t.closed) })
	return t.Listener.Close()
}

// connState is for [http.Server]. A nil *turns needs to know of nothing.
func (t *turns) connState(c net.Conn, state http.ConnState) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.idle, c)
	switch state {
	case http.StateIdle:
		if t.waiting.Load() {
			_ = c.Close()
			return
		}
		t.idle[c] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		<-t.serving
	}
}

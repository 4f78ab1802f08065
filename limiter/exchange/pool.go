package exchange

import (
	"sync"
	"time"
)

// key says what an idle connection can be used for.
type key struct {
	scheme string // of the URL; empty for plain requests through a proxy, which serve every host
	host   string
	port   uint16
	proxy  string
}

// pool keeps idle connections. Nothing watches them: expired ones are closed when a later one is put back, so that no
// goroutine or timer is needed, and at the latest when the client is closed.
type pool struct {
	perHost, total int
	timeout        time.Duration

	mu          sync.Mutex
	closed      bool
	newest      map[key]*conn // of each key, leading to the older ones
	first, last *conn         // of all, least recently used first
	count       int
}

// take removes and returns the connection of k that was used last, or nil.
func (p *pool) take(k key) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.newest[k]
	if c == nil || time.Since(c.since) > p.timeout {
		return nil // all others are older: put closes them
	}
	p.remove(c)
	return c
}

// put keeps c, and closes those that are too old or too many.
func (p *pool) put(c *conn) {
	c.since = time.Now()
	c.asking = nil
	var surplus []*conn
	p.mu.Lock()
	if p.closed || p.full(c.key) {
		surplus = append(surplus, c)
	} else {
		p.add(c)
	}
	for p.first != nil && (p.count > p.total || c.since.Sub(p.first.since) > p.timeout) {
		surplus = append(surplus, p.first)
		p.remove(p.first)
	}
	p.mu.Unlock()
	for _, c := range surplus {
		c.goodbye()
	}
}

// clear closes all idle connections; last makes the pool refuse more.
func (p *pool) clear(last bool) {
	var surplus []*conn
	p.mu.Lock()
	p.closed = p.closed || last
	for p.first != nil {
		surplus = append(surplus, p.first)
		p.remove(p.first)
	}
	p.mu.Unlock()
	for _, c := range surplus {
		c.goodbye()
	}
}

// full reports whether k has as many connections as it may. It requires that mu is held.
func (p *pool) full(k key) bool {
	if p.perHost <= 0 {
		return false
	}
	n := 0
	for c := p.newest[k]; c != nil; c = c.older {
		n++
	}
	return n >= p.perHost
}

// add requires that mu is held.
func (p *pool) add(c *conn) {
	if p.newest == nil {
		p.newest = map[key]*conn{}
	}
	if c.older = p.newest[c.key]; c.older != nil {
		c.older.newer = c
	}
	p.newest[c.key] = c
	if c.prev = p.last; c.prev != nil {
		c.prev.next = c
	} else {
		p.first = c
	}
	p.last = c
	p.count++
}

// remove takes c out of the pool. It requires that mu is held.
func (p *pool) remove(c *conn) {
	switch {
	case c.newer != nil:
		c.newer.older = c.older
	case c.older != nil:
		p.newest[c.key] = c.older
	default:
		delete(p.newest, c.key)
	}
	if c.older != nil {
		c.older.newer = c.newer
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		p.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		p.last = c.prev
	}
	c.older, c.newer, c.prev, c.next = nil, nil, nil, nil
	p.count--
}

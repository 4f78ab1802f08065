package site

import (
	"net/http"
	"sync"
	"sync/atomic"
)

// Stats is what a site, or one of its hosts, has been asked for. A request is in flight from its arrival until the last
// byte of its response is about to be sent.
type Stats struct {
	Requests     int64
	InFlight     int64
	InFlightPeak int64 // most at once so far
}

// Stats returns the counts over all hosts.
func (s *Site) Stats() Stats { return s.counts.all.stats() }

// HostStats returns the counts of requests whose Host header is exactly host, its port included.
func (s *Site) HostStats(host string) Stats {
	if h, ok := s.counts.hosts.Load(host); ok {
		return h.(*count).stats()
	}
	return Stats{}
}

// Connections returns how many connections [Site.Server] has open, and how many it has accepted so far.
func (s *Site) Connections() (open, accepted int64) {
	return s.counts.open.Load(), s.counts.accepted.Load()
}

// counts is the counters of a site.
type counts struct {
	all            count
	hosts          sync.Map // host -> *count
	open, accepted atomic.Int64
	numbered       atomic.Int64 // connections that have an id
}

// count is the counters of one host, or of all.
type count struct{ requests, inFlight, peak atomic.Int64 }

func (c *count) enter() {
	c.requests.Add(1)
	n := c.inFlight.Add(1)
	for peak := c.peak.Load(); n > peak && !c.peak.CompareAndSwap(peak, n); peak = c.peak.Load() {
	}
}

func (c *count) stats() Stats {
	return Stats{Requests: c.requests.Load(), InFlight: c.inFlight.Load(), InFlightPeak: c.peak.Load()}
}

// ending ends the count of one request, once.
type ending struct{ all, host *count }

// begin counts a request of a host.
func (c *counts) begin(host string) ending {
	h, ok := c.hosts.Load(host)
	if !ok {
		h, _ = c.hosts.LoadOrStore(host, new(count))
	}
	e := ending{&c.all, h.(*count)}
	e.all.enter()
	e.host.enter()
	return e
}

// done says that the request is no longer in flight. Calls after the first do nothing.
func (e *ending) done() {
	if e.all == nil {
		return
	}
	e.host.inFlight.Add(-1)
	e.all.inFlight.Add(-1)
	e.all = nil
}

// connState is for [http.Server].
func (c *counts) connState(state http.ConnState) {
	switch state {
	case http.StateNew:
		c.open.Add(1)
		c.accepted.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	}
}

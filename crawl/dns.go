package crawl

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// The system's resolver does not say how long its answers hold.
	dnsFor     = 5 * time.Minute
	dnsNoneFor = 30 * time.Second // that there is no such name
	maxNames   = 20_000
)

// dnsCache remembers the addresses of names, and has each looked up once when many ask for it at the same time. Failures
// to get an answer are not remembered. An address is checked each time it is connected to, so nothing that is decided
// here can be outlived.
type dnsCache struct {
	find func(ctx context.Context, host string) ([]netip.Addr, error)

	mu    sync.Mutex
	names map[string]*dnsEntry
}

// dnsEntry is a lookup, its fields set when done is closed.
type dnsEntry struct {
	done  chan struct{}
	addrs []netip.Addr
	err   error
	until time.Time // not remembered any longer
	given bool      // who did the lookup gave up: that says nothing of the name
}

func newDNSCache() *dnsCache {
	return &dnsCache{names: map[string]*dnsEntry{}, find: func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}}
}

// lookup returns the addresses of a host, which the caller must not change.
func (d *dnsCache) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	for {
		e, mine := d.entry(host)
		if mine {
			d.fill(ctx, host, e)
			return e.addrs, e.err
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !e.given {
			return e.addrs, e.err
		}
	}
}

// entry returns what is known of a host, or an entry that the caller must fill.
func (d *dnsCache) entry(host string) (e *dnsEntry, mine bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.names[host]; e != nil && (!e.over() || time.Now().Before(e.until)) {
		return e, false
	}
	for other, old := range d.names {
		if len(d.names) < maxNames {
			break
		}
		if old.over() {
			delete(d.names, other)
		}
	}
	e = &dnsEntry{done: make(chan struct{})}
	d.names[host] = e
	return e, true
}

func (e *dnsEntry) over() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// fill does the lookup.
func (d *dnsCache) fill(ctx context.Context, host string, e *dnsEntry) {
	e.addrs, e.err = d.find(ctx, host)
	e.given = e.err != nil && ctx.Err() != nil
	var dns *net.DNSError
	switch {
	case e.err == nil:
		e.until = time.Now().Add(dnsFor)
	case errors.As(e.err, &dns) && dns.IsNotFound:
		e.until = time.Now().Add(dnsNoneFor)
	}
	close(e.done)
}

// forget makes the next one who asks for a host look it up: none of the addresses could be connected to.
func (d *dnsCache) forget(host string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.names[host]; e != nil && e.over() {
		delete(d.names, host)
	}
}

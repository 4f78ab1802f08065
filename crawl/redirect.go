package crawl

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/netip"
	"strings"
)

var errRedirects = errors.New("more than 10 redirects")

// location returns where a response redirects to.
func (r *response) location(base URL) (URL, bool) {
	switch r.status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return URL{}, false
	}
	value := r.header.Get("Location")
	if value == "" {
		return URL{}, false
	}
	to, err := base.Resolve(value)
	return to, err == nil
}

// redirect moves an item to where its response points, into the queue of that host. All checks apply to the target as
// to a link's.
func (c *crawler) redirect(it *item, r *response, to URL) error {
	it.fallback = false // https has answered
	p := &closing{item: it, record: c.record(it, r), response: r}
	if it.check {
		p.record = nil
	}
	if it.redirects >= maxRedirects {
		return c.conclude(p, errRedirects, nil)
	}
	if it.seed {
		c.mu.Lock()
		c.scope[c.o.Scope.key(to.Host())] = true
		c.mu.Unlock()
	}
	if !c.allows(it, to) {
		if it.check {
			return c.conclude(p, nil, nil)
		}
		// The record says where it would have gone.
		p.record.Links = []string{to.String()}
		if addr, err := netip.ParseAddr(to.Host()); err == nil {
			if err := c.control(to.Host(), netip.AddrPortFrom(addr, 0), false); err != nil {
				return c.conclude(p, err, nil)
			}
		}
		return c.conclude(p, nil, nil)
	}
	next := *it
	if it.check && it.depth <= c.o.Depth && c.follows(to) {
		next.check = false // to a page of the crawl, which must not count as seen for a mere check
	}
	moved := false
	hop := closing{item: it, response: r}
	if err := c.ledger.close(&hop, func() { moved = c.move(&next, to) }); err != nil || moved {
		return err
	}
	if p.record != nil {
		p.record.FinalURL = to.String()
	}
	if err := c.count(p); err != nil {
		return err
	}
	c.frontier.done(it)
	return nil
}

// mayFallBack says whether http may be tried where https failed. Not where the server is there but cannot prove who it
// is: whoever stands in between would get the request in the clear.
func mayFallBack(err error) bool {
	var certificate *tls.CertificateVerificationError
	return !errors.As(err, &certificate)
}

// fallBack moves a seed that was given without a scheme from https to http.
func (c *crawler) fallBack(it *item) error {
	to, err := ParseURL("http" + strings.TrimPrefix(it.url.String(), "https"))
	if err != nil {
		return err
	}
	it.fallback, it.first = false, to.String()
	if !c.move(it, to) {
		c.counter.ItemSkipped()
		c.frontier.done(it)
	}
	return nil
}

// move hands an item to the queue of another URL's host, after the robots.txt of its origin. It is false if the URL has
// been seen.
func (c *crawler) move(it *item, to URL) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	moved := *it
	moved.url = to
	file, robots := c.robotsFor(&moved)
	if !c.frontier.move(it, to, robots) {
		return false
	}
	if robots != nil {
		c.files[file.origin] = file
	}
	return true
}

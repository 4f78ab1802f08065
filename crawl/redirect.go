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
	to = c.redirectTarget(it.url, to)
	rec := c.record(it, r)
	it.fallback = false // https has answered
	if it.redirects >= maxRedirects {
		err := c.fail(rec, errRedirects)
		c.frontier.done(it)
		return err
	}
	if it.seed {
		c.mu.Lock()
		c.scope[c.o.Scope.key(to.Host())] = true
		c.mu.Unlock()
	}
	if !c.follows(to) && (!it.seed || !c.mayFollow(to)) {
		// The record says where it would have gone.
		rec.Links = []string{to.String()}
		if addr, err := netip.ParseAddr(to.Host()); err == nil {
			if err := c.control(to.Host(), netip.AddrPortFrom(addr, 0), false); err != nil {
				err = c.fail(rec, err)
				c.frontier.done(it)
				return err
			}
		}
	} else if c.move(it, to) {
		return nil
	} else {
		rec.FinalURL = to.String()
	}
	err := c.finish(it, rec, r)
	c.frontier.done(it)
	return err
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

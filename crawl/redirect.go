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
	ch := change{item: it}
	it.fallback = false // https has answered
	p := &closing{item: it, record: c.record(it, r), response: r, to: to}
	if it.check {
		p.record = nil
	}
	if it.redirects >= maxRedirects {
		return c.end(p, ch, errRedirects)
	}
	if it.seed {
		c.open(to.Host())
		ch.hosts = []knownHost{c.knownAs(to.Host())}
	}
	if !c.allows(it, to) {
		if it.check {
			return c.end(p, ch, nil)
		}
		// The record says where it would have gone.
		p.record.Links = []string{to.String()}
		if addr, err := netip.ParseAddr(to.Host()); err == nil {
			if err := c.control(to.Host(), netip.AddrPortFrom(addr, 0), false); err != nil {
				return c.end(p, ch, err)
			}
		}
		ch.found = c.checkInstead(it, to)
		return c.finish(p, ch)
	}
	if p.record != nil {
		p.record.FinalURL = to.String()
	}
	ch.to = to
	ch.follow = it.check && it.depth <= c.o.Depth && c.follows(to) // a page must not count as seen for a mere check
	e := &entry{closing: p, change: ch}
	if err := c.ledger.close(e); err != nil || e.moved || e.lost {
		return err
	}
	c.count(p)
	return nil
}

// checkInstead returns a check of where a page redirects to, if links are checked: a link to the page is broken if what it
// leads to is not there, on whatever host that would be.
func (c *crawler) checkInstead(it *item, to URL) []foundPage {
	if !c.o.CheckLinks || !c.mayAsk(to) || anyMatches(c.o.Exclude, to.String()) {
		return nil
	}
	return []foundPage{c.found(&item{
		url: to, first: to.String(), referrer: it.url.String(), depth: it.depth, redirects: it.redirects + 1, check: true,
	})}
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
	e := &entry{change: change{item: it, to: to}}
	if err := c.ledger.close(e); err != nil || e.moved || e.lost {
		return err
	}
	c.counter.ItemSkipped()
	return nil
}

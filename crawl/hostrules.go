package crawl

import "net/netip"

// hostRules says what may be asked for. It remembers the last host, because most links of a page lead to one: it is for
// the links of one page.
type hostRules struct {
	c *crawler

	host             string
	known            bool
	inScope, allowed bool

	origin string
	file   *robotsFile // of origin; nil if it is not known
}

// of finds what is to be known of a URL's host.
func (h *hostRules) of(u URL) {
	host := u.Host()
	if h.known && host == h.host {
		return
	}
	h.host, h.known = host, true
	h.inScope = h.c.inScope(host)
	// Names are checked when they are resolved; an address needs no connection to be refused.
	addr, err := netip.ParseAddr(host)
	h.allowed = err != nil || h.c.control(host, netip.AddrPortFrom(addr, 0), false) == nil
}

// follows says whether a link to a URL is one to follow.
func (h *hostRules) follows(u URL) bool { return h.mayFollow(u) && h.c.wants(u) }

// mayFollow is follows but for the user's patterns, which are not for seeds.
func (h *hostRules) mayFollow(u URL) bool {
	h.of(u)
	return h.inScope && h.allowed && u.trap() == ""
}

// mayAsk says whether a URL that a page names may be asked for at all.
func (h *hostRules) mayAsk(u URL) bool {
	h.of(u)
	return h.allowed && u.trap() == ""
}

// found returns a page as the frontier takes it.
func (h *hostRules) found(it *item) foundPage {
	if origin := it.url.Origin(); origin != h.origin {
		h.origin, h.file = origin, h.c.robotsOf(it.url)
	}
	return foundPage{item: it, forbidden: h.file != nil && h.file.disallows(it.url) && !h.c.stale(h.file)}
}

func (c *crawler) rules() *hostRules { return &hostRules{c: c} }

func (c *crawler) follows(u URL) bool   { return c.rules().follows(u) }
func (c *crawler) mayFollow(u URL) bool { return c.rules().mayFollow(u) }
func (c *crawler) mayAsk(u URL) bool    { return c.rules().mayAsk(u) }

func (c *crawler) found(it *item) foundPage { return c.rules().found(it) }

package crawl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

const (
	// maxSitemapLevel is how deep a sitemap may lie: 1 for one that a robots.txt names, 2 and 3 for those of an index and of
	// an index in it. The protocol allows 2.
	maxSitemapLevel     = 3
	maxSitemapRedirects = 5
	maxSitemapFiles     = 50_000 // of one run; each may have as many URLs
)

// seekSitemaps queues the sitemaps of an origin whose robots.txt has been answered: those it names, or else the one that
// most sites have without a word.
func (c *crawler) seekSitemaps(it *item, named []string) {
	if !it.robots.seed || !c.o.Sitemaps {
		return
	}
	for _, text := range named {
		if u, err := it.url.Resolve(text); err == nil {
			c.queueSitemap(u, 1, it.url.String())
		}
	}
	if len(named) == 0 {
		if u, err := ParseURL(it.robots.origin + "/sitemap.xml"); err == nil {
			c.queueSitemap(u, 1, "")
		}
	}
}

// queueSitemap queues a sitemap as it does pages, behind what its host has to fetch already: a large one does not keep
// the pages waiting.
func (c *crawler) queueSitemap(u URL, level uint8, referrer string) {
	if level > maxSitemapLevel {
		c.log.Warn(fmt.Sprintf("the sitemap lies in more than %d others and is not read", maxSitemapLevel-1), "item", u.String())
		return
	}
	if !c.mayFollow(u) {
		c.log.Info("the sitemap is out of bounds", "item", u.String())
		return
	}
	c.admit(&item{url: u, first: u.String(), referrer: referrer, sitemap: level})
}

// moreSitemaps counts a sitemap, and is false if there have been too many. It requires that mu is held.
func (c *crawler) moreSitemaps() bool {
	c.sitemaps++
	if c.sitemaps == maxSitemapFiles+1 {
		c.log.Warn(fmt.Sprintf("there are more than %d sitemaps: the others are not read", maxSitemapFiles))
	}
	return c.sitemaps <= maxSitemapFiles
}

// readSitemap takes the URLs of a sitemap as it arrives. They are as deep as seeds, but they open no scope.
func (c *crawler) readSitemap(ctx context.Context, it *item, resp *http.Response) error {
	wire := &wireReader{r: resp.Body, count: c.counter.AddBytes, left: maxSitemap + codedSlack}
	d, err := decode(wire, bodyCodings(resp.Header))
	defer d.close()
	if err == nil {
		err = parseSitemap(d, func(e sitemapEntry) error { return c.takeSitemapEntry(ctx, it, e) })
	}
	if err != nil && !errors.Is(err, errSitemapSize) && !errors.Is(err, errSitemapURLs) && ctx.Err() == nil {
		err = wire.failure(err)
	}
	return err
}

// takeSitemapEntry queues what an entry of a sitemap leads to.
func (c *crawler) takeSitemapEntry(ctx context.Context, it *item, e sitemapEntry) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	u, err := it.url.Resolve(e.loc)
	if err != nil {
		return nil //nolint:nilerr // one bad URL among many is passed over, as it is on a page
	}
	if e.sitemap {
		c.queueSitemap(u, it.sitemap+1, it.url.String())
		return nil
	}
	if u = c.canonical(u); c.follows(u) {
		c.admit(&item{url: u, first: u.String(), referrer: it.url.String(), lastMod: e.lastMod})
	}
	return nil
}

// sitemapAnswer ends the fetch of a sitemap, which has no record.
func (c *crawler) sitemapAnswer(it *item, r *response) {
	if to, ok := r.location(it.url); ok {
		switch {
		case it.redirects >= maxSitemapRedirects:
			c.sitemapFailed(it, errRedirects)
		case !c.mayFollow(to):
			c.sitemapFailed(it, errors.New("it redirects out of bounds"))
		case c.move(it, to):
			return
		}
		c.frontier.done(it)
		return
	}
	switch {
	case r.err != nil:
		c.sitemapFailed(it, r.err)
	case r.status/100 != 2 && (it.referrer != "" || r.failure() != nil):
		c.sitemapFailed(it, errors.New(strings.TrimSpace(fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)))))
	}
	c.frontier.done(it)
}

func (c *crawler) sitemapFailed(it *item, why error) {
	c.log.Warn("a sitemap is not read whole", "item", it.url.String(), "error", why)
}

// refuseSitemap closes a sitemap that its origin's robots.txt forbids. It has no record and is no item.
func (c *crawler) refuseSitemap(it *item) {
	c.log.Info("robots.txt forbids the sitemap", "item", it.url.String())
	c.frontier.done(it)
}

// seedSitemap takes the URLs of a seed that is a sitemap itself.
func (c *crawler) seedSitemap(ctx context.Context, it *item, r *response) {
	if !c.o.Sitemaps || !it.seed || r.status/100 != 2 || r.isHTML() {
		return
	}
	top := *it
	top.sitemap = 1
	err := parseSitemap(bytes.NewReader(r.body), func(e sitemapEntry) error { return c.takeSitemapEntry(ctx, &top, e) })
	if err != nil && ctx.Err() == nil {
		c.sitemapFailed(it, err)
	}
}

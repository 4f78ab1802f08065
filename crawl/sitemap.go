package crawl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
)

const (
	// maxSitemapLevel is how deep a sitemap may lie: 1 for one that a robots.txt names, 2 and 3 for those of an index and of
	// an index in it. The protocol allows 2.
	maxSitemapLevel     = 3
	maxSitemapRedirects = 5
	maxSitemapFiles     = 50_000 // of one crawl, over all its runs; each may have as many URLs
)

// seekSitemaps returns the sitemaps of an origin whose robots.txt has been answered: those it names, or else the one that
// most sites have without a word.
func (c *crawler) seekSitemaps(it *item, named []string) []foundPage {
	if !it.robots.seed || !c.o.Sitemaps {
		return nil
	}
	var found []foundPage
	for _, text := range named {
		if u, err := it.url.Resolve(text); err == nil {
			found = c.appendSitemap(found, it, u, it.url.String())
		}
	}
	if len(named) == 0 {
		if u, err := ParseURL(it.robots.origin + "/sitemap.xml"); err == nil {
			found = c.appendSitemap(found, it, u, "")
		}
	}
	return found
}

// appendSitemap appends a sitemap that an item names, if it may be fetched. It waits behind what its host has to fetch
// already: a large one does not keep the pages waiting.
func (c *crawler) appendSitemap(found []foundPage, from *item, u URL, referrer string) []foundPage {
	level := from.sitemap + 1
	if level > maxSitemapLevel {
		c.log.Warn(fmt.Sprintf("the sitemap lies in more than %d others and is not read", maxSitemapLevel-1), "item", u.String())
		return found
	}
	if !c.mayRead(u, from.robots != nil || u.Host() == from.url.Host()) {
		severity := slog.LevelInfo
		if level == 1 {
			severity = slog.LevelWarn // the site has no other for what the user asked for
		}
		c.log.Log(context.Background(), severity, "the sitemap is out of bounds", "item", u.String())
		return found
	}
	page := c.found(&item{url: u, first: u.String(), referrer: referrer, sitemap: level})
	if page.forbidden {
		c.log.Info("robots.txt forbids the sitemap", "item", u.String())
		return found
	}
	return append(found, page)
}

// mayRead says whether a sitemap may be fetched: from where links may lead, and where a site's own robots.txt vouches for
// it from any host, in that host's queue and by its rules (sitemaps.org, protocol 0.9, "Sitemaps & Cross Submits"). Where
// such a sitemap stands, so may those that it names. Its URLs open no scope.
func (c *crawler) mayRead(u URL, vouched bool) bool {
	return c.mayFollow(u) || vouched && c.mayAsk(u)
}

// boundSitemaps bounds how many sitemaps are read.
func (c *crawler) boundSitemaps(most int) {
	c.frontier.setSitemapBudget(most, func() {
		c.log.Warn(fmt.Sprintf("there are more than %d sitemaps: the others are not read", most))
	})
}

// sitemapGroup is how many entries of a sitemap go to the frontier at once. A large sitemap is never in memory as a whole.
const sitemapGroup = 1000

// readSitemap takes the URLs of a sitemap as it arrives. They are as deep as seeds, but they open no scope. If the crawl
// ends in the middle, the sitemap is fetched again, and its first URLs are known.
func (c *crawler) readSitemap(ctx context.Context, it *item, r *response, resp *http.Response) error {
	const most = maxSitemap + codedSlack
	wire := &wireReader{r: r.taped(resp.Body, most), count: r.count, left: most}
	d, err := decode(wire, bodyCodings(resp.Header), r)
	defer d.close()
	var found []foundPage
	queue := func() error {
		defer func() { found = nil }()
		return c.ledger.close(&entry{change: change{found: found}})
	}
	if err == nil {
		err = parseSitemap(d, func(e sitemapEntry) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if found = c.appendEntry(found, it, e); len(found) >= sitemapGroup {
				return queue()
			}
			return nil
		})
	}
	if queueErr := queue(); err == nil {
		err = queueErr
	}
	if err != nil && !errors.Is(err, errSitemapSize) && !errors.Is(err, errSitemapURLs) && ctx.Err() == nil {
		err = wire.failure(err)
	}
	return err
}

// appendEntry appends what an entry of a sitemap leads to. One bad URL among many is passed over, as it is on a page.
func (c *crawler) appendEntry(found []foundPage, it *item, e sitemapEntry) []foundPage {
	u, err := it.url.Resolve(e.loc)
	if err != nil {
		return found
	}
	if e.sitemap {
		return c.appendSitemap(found, it, u, it.url.String())
	}
	if u = c.canonical(u); c.follows(u) {
		found = append(found, c.found(&item{url: u, first: u.String(), referrer: it.url.String(), lastMod: e.lastMod}))
	}
	return found
}

// sitemapAnswer ends the fetch of a sitemap, which has no record.
func (c *crawler) sitemapAnswer(it *item, r *response) error {
	e := &entry{closing: &closing{item: it, response: r}, change: change{item: it}}
	to, redirected := r.location(it.url)
	byRobots := it.sitemap == 1 && it.referrer != ""
	switch {
	case redirected && it.redirects >= maxSitemapRedirects:
		c.sitemapFailed(it, errRedirects)
	case redirected && !c.mayRead(to, byRobots || to.Host() == it.url.Host()):
		c.sitemapFailed(it, errors.New("it redirects out of bounds"))
	case redirected:
		e.change.to = to
	case r.err != nil:
		c.sitemapFailed(it, r.err)
	case r.status/100 != 2 && (it.referrer != "" || r.failure() != nil):
		c.sitemapFailed(it, statusError(r.status))
	}
	return c.ledger.close(e)
}

func (c *crawler) sitemapFailed(it *item, why error) {
	c.log.Warn("a sitemap is not read whole", "item", it.url.String(), "error", why)
}

// refuseSitemap closes a sitemap that its origin's robots.txt forbids, or keeps from being asked for by err. It has no
// record and is no item.
func (c *crawler) refuseSitemap(it *item, err error) error {
	if err != nil {
		c.sitemapFailed(it, err)
	} else {
		c.log.Info("robots.txt forbids the sitemap", "item", it.url.String())
	}
	return c.ledger.close(&entry{change: change{item: it}})
}

// isSitemap says whether a seed is to be read as a sitemap.
func (c *crawler) isSitemap(it *item, r *response) bool {
	return c.o.Sitemaps && it.seed && r.status/100 == 2 && !r.isHTML()
}

// seedSitemap returns what a seed that is a sitemap itself leads to.
func (c *crawler) seedSitemap(ctx context.Context, it *item, r *response) (found []foundPage) {
	top := *it
	top.sitemap = 1
	err := parseSitemap(bytes.NewReader(r.body), func(e sitemapEntry) error {
		found = c.appendEntry(found, &top, e)
		return context.Cause(ctx)
	})
	if err != nil && ctx.Err() == nil {
		c.sitemapFailed(it, err)
	}
	return found
}

package crawl

import (
	"context"
	"time"
)

// item is one thing to fetch: a page, a sitemap, or the robots.txt of an origin.
type item struct {
	url       URL    // what is to be fetched next
	first     string // where it began; differs from url after a redirect
	referrer  string // the page that linked here; empty for a seed
	depth     int    // links away from a seed
	seed      bool
	sitemap   uint8 // 0 for a page, else how deep in indexes the sitemap lies that is fetched, from 1
	fallback  bool  // a seed whose user gave no scheme: http follows if https does not answer
	redirects int
	attempts  int       // tries of the present URL that failed
	notBefore time.Time // the next try, after a failed one

	robots  *robotsFile // the file that is fetched; nil for a page
	lastMod string      // what a sitemap says of the page

	requisite bool // a page needs it to be shown: it may be off the scope
	check     bool // only whether it is there is of interest
	get       bool // a check whose host does not answer HEAD

	visit *visit // what is known of the page from an earlier crawl; nil for nothing

	seq     uint64 // its place on disk among its host's pages
	hold    *hold  // the lease that it was handed out under; nil without a fleet
	claimed bool   // it was handed out with a claim on its host
	started bool   // since then, its request was written
}

// frontier holds what is to be fetched, and what has been seen. It alone waits for hosts: an item that it hands out may
// start now. Pages of one host go in the order of their discovery, so a crawl of one host is breadth-first.
//
// An item that next handed out is given back once, by commit or by retry.
type frontier interface {
	// next waits for an item that may start now. It returns io.EOF when nothing is queued and nothing that could queue
	// more is handed out. It is called by one worker at a time.
	next(ctx context.Context) (*item, error)
	// started says that the request of an item has just been written.
	started(it *item)
	// check returns nil while an item that was handed out is surely this process's. It is asked after each wait and before
	// what others would see: of an item that is another's by now, nothing is fetched or written.
	check(it *item) error
	// bind returns a context that ends when check would return an error.
	bind(ctx context.Context, it *item) (context.Context, context.CancelFunc)
	// giveUp gives an item back that is another's by now.
	giveUp(it *item)
	// retry gives an item back to be handed out again, not before a time.
	retry(it *item, notBefore time.Time)
	// backOff pauses an item's host after it pushed back, for as long as it asked or, at 0, for a time that doubles with
	// each push-back in a row. It returns the pause.
	backOff(it *item, asked time.Duration) time.Duration
	// answered says that an item's host answered without pushing back.
	answered(it *item)
	// setAddresses gives addresses a pace, before anything is handed out.
	setAddresses(a *addresses)
	// waitForLookups returns when no lookup of an address runs any more.
	waitForLookups()
	// setHostBudget bounds the pages of each host; 0 is unlimited. spent is told of a host that has had them.
	setHostBudget(most int, spent func(host string))
	// setSitemapBudget bounds the sitemaps; 0 is unlimited. spent is told when there are more.
	setSitemapBudget(most int, spent func())
	// setDelay keeps the starts on a host at least that far apart.
	setDelay(host string, delay time.Duration)
	// openGate lets the pages of a host go that waited for one robots.txt.
	openGate(host string)
	// refuse says that the pages of an origin are never asked for, so that they wait for no turn of their host: after a
	// push back, it could be hours away.
	refuse(origin string)
	// forgive takes that back.
	forgive(origin string)

	// fingerprint returns the hash that a URL is told apart from others by. It may be called at any time.
	fingerprint(url []byte) uint64
	// noted marks those of a page's links that are surely noted as pages. It may be called at any time.
	noted(links []pageLink)
	// knows says whether a URL is noted. The rules of reserve are its too.
	knows(url string) (bool, error)
	// reserve notes a URL, and says whether it is new. It lasts with the next commit. Calls of reserve and commit never
	// overlap.
	reserve(url string) (bool, error)
	// commit makes all the changes, or after a crash none of them, and keeps the marks for whoever resumes.
	commit(changes []*change, marks []byte) error
	// left says whether anything is queued.
	left() bool
	// close ends the frontier. Nothing is handed out any more.
	close() error
}

// holds says whether an item that was handed out is surely this process's.
func holds(f frontier, it *item) bool { return f.check(it) == nil }

// change is what becomes of an item, and what it led to.
type change struct {
	item *item // given back; nil if nothing was handed out, as for seeds
	// to is where a redirect moves a page whose new URL is reserved, or a robots.txt. It waits there in its host's queue.
	// For the zero URL the item is done.
	to     URL
	follow bool // a check moves there as the page that it is
	found  []foundPage
	visit  *visit // what is known of the page now; nil is what was known before
	hosts  []knownHost
	body   *firstBody // the page is the first with its body; a state keeps that
	bytes  int64      // of the body that came for the item that is done
}

// foundPage is a page that was discovered. It is admitted if its URL is new and the pages are not yet as many as may be.
type foundPage struct {
	item      *item
	forbidden bool // by its robots.txt: it is noted as seen and counted as skipped
}

// knownHost is a host that links may lead to.
type knownHost struct {
	name   string
	seed   bool // the user named it; else a redirect of a seed led there
	secure bool // the user named it with https only
}

// isPage says whether the item is a page, not something that crawling needs to know.
func (it *item) isPage() bool { return it.robots == nil && it.sitemap == 0 }

// seenAs returns what the seen-set knows an item by: a sitemap may be a page as well, and the one does not stand for the
// other. Nor does a mere check stand for a page that is found later, though a page does for a check.
func (it *item) seenAs(u URL) string {
	switch {
	case it.sitemap > 0:
		return "sitemap " + u.String()
	case it.check:
		return "check " + u.String()
	}
	return u.String()
}

// moved returns the item as it waits at its new URL.
func (c *change) moved() *item {
	it := c.item.at(c.to)
	if c.follow {
		it.check, it.get = false, false
	}
	return it
}

// at returns the item for another URL.
func (it *item) at(to URL) *item {
	next := *it
	next.url = to
	next.redirects++
	next.attempts = 0
	next.notBefore = time.Time{}
	return &next
}

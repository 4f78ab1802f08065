package crawl

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// robotsFile is the robots.txt of one origin. The pages of its host wait behind a gate until the verdict is there.
type robotsFile struct {
	origin  string
	host    string
	seed    bool           // a seed's: its sitemaps count
	before  *robotsVerdict // what an older one said, which is too old by now; nil if there is none
	verdict atomic.Pointer[robotsVerdict]
}

// robotsLifetime is how long a robots.txt counts (RFC 9309, section 2.4).
const robotsLifetime = 24 * time.Hour

// robotsVerdict is what came of fetching a robots.txt.
type robotsVerdict struct {
	at    time.Time
	rules *robotsRules // nil allows everything
	err   error        // why nothing may be fetched: it could not be reached
	skip  bool         // nothing is fetched, because the host asks for too long a delay
}

// disallows says whether a verdict is there and forbids a URL.
func (f *robotsFile) disallows(u URL) bool {
	v := f.verdict.Load()
	return v != nil && v.err == nil && (v.skip || v.rules != nil && !v.rules.allows(u.RequestURI()))
}

// robotsOf returns the robots.txt that a URL depends on, nil if it is ignored or nobody has asked for it yet.
func (c *crawler) robotsOf(u URL) *robotsFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.files[u.Origin()]
}

// robotsFor returns the robots.txt that a page depends on and, where nobody fetches it yet, the item that does. Both
// are nil if robots.txt is ignored. It requires that mu is held.
func (c *crawler) robotsFor(it *item) (*robotsFile, *item) {
	if c.o.IgnoreRobots && !(c.o.Sitemaps && it.seed) {
		return nil, nil
	}
	origin := it.url.Origin()
	if file := c.files[origin]; file != nil {
		return file, nil
	}
	return c.newRobots(it)
}

// newRobots returns a robots.txt of an item's origin that has not been fetched, and the item that does.
func (c *crawler) newRobots(it *item) (*robotsFile, *item) {
	u, err := it.url.Resolve("/robots.txt")
	if err != nil {
		panic(fmt.Sprintf("resolving /robots.txt on %s: %v", it.url, err)) // it has no part that could fail
	}
	file := &robotsFile{origin: it.url.Origin(), host: it.url.Host(), seed: it.seed}
	robots := &item{url: u, first: u.String(), robots: file}
	if it.fallback {
		robots.attempts = c.o.Retries // http is next, without more tries of https
	}
	return file, robots
}

// refuse closes an item that its origin's robots.txt forbids.
func (c *crawler) refuse(it *item) (closed bool, err error) {
	file := c.robotsOf(it.url)
	if file == nil {
		return false, nil
	}
	if c.stale(file) {
		c.refreshRobots(it, file)
		return true, nil
	}
	if v := file.verdict.Load(); v != nil && v.err != nil {
		if it.fallback && mayFallBack(v.err) {
			return true, c.fallBack(it)
		}
		if it.sitemap > 0 {
			c.refuseSitemap(it)
			return true, nil
		}
		r := &response{at: time.Now().UTC(), err: v.err}
		err = c.finish(it, c.record(it, r), r)
	} else if file.disallows(it.url) {
		if it.sitemap > 0 {
			c.refuseSitemap(it)
			return true, nil
		}
		c.counter.ItemSkipped()
	} else {
		return false, nil
	}
	c.frontier.done(it)
	return true, err
}

// robotsAnswer takes the answer to a fetch of robots.txt and opens the gate (RFC 9309, section 2.3.1).
func (c *crawler) robotsAnswer(it *item, r *response) {
	file := it.robots
	var sitemaps []string
	if to, ok := r.location(it.url); ok && it.redirects < maxRobotsRedirects {
		c.frontier.move(it, to, nil)
		return
	}
	verdict := &robotsVerdict{at: time.Now()}
	switch {
	case c.o.IgnoreRobots:
		if r.err == nil && r.status/100 == 2 {
			sitemaps = parseRobots(r.body, c.token).sitemaps
		}
	case file.before != nil && (r.err != nil || r.failure() != nil):
		// What it said before holds on while it cannot be had (RFC 9309, section 2.4).
		*verdict = robotsVerdict{at: verdict.at, rules: file.before.rules, skip: file.before.skip}
	case r.err != nil:
		verdict.err = fmt.Errorf("robots.txt cannot be reached: %w", r.err)
	case r.status == http.StatusTooManyRequests || r.status >= 500:
		verdict.err = fmt.Errorf("robots.txt: %w", r.failure())
	case r.status/100 == 2:
		verdict.rules = parseRobots(r.body, c.token)
		verdict.skip = !c.setDelay(file.host, verdict.rules.delay)
		sitemaps = verdict.rules.sitemaps
	}
	file.verdict.Store(verdict)
	if verdict.err != nil || verdict.skip {
		c.frontier.refuse(file.origin)
	} else {
		c.seekSitemaps(it, sitemaps)
	}
	c.frontier.openGate(file.host)
	c.frontier.done(it)
}

// setDelay sets the delay that a host's robots.txt asks for; of several origins' the longest. It is false if the delay
// is longer than this run waits.
func (c *crawler) setDelay(host string, delay time.Duration) bool {
	if delay > c.o.MaxCrawlDelay {
		c.log.Warn(fmt.Sprintf("%s is skipped: its Crawl-delay of %v is above the %v of --max-crawl-delay",
			host, delay, c.o.MaxCrawlDelay))
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if delay > c.delays[host] {
		c.delays[host] = delay
		c.hosts.SetDelay(host, delay)
	}
	return true
}

// stale says whether a robots.txt was answered so long ago that it must be asked for again. One that nothing was fetched
// after stays as it is.
func (c *crawler) stale(file *robotsFile) bool {
	v := file.verdict.Load()
	return v != nil && v.err == nil && !v.skip && time.Since(v.at) >= c.robotsLifetime
}

// refreshRobots puts an item back behind another fetch of its origin's robots.txt.
func (c *crawler) refreshRobots(it *item, old *robotsFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	file, robots := c.newRobots(it)
	file.seed, file.before = old.seed, old.verdict.Load()
	c.files[file.origin] = file
	c.frontier.postpone(it, robots)
}

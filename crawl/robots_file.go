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
	used    atomic.Bool // a page was handed out by it
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
	return c.files.get(u.Origin())
}

// gate returns the fetch of the robots.txt that a page depends on, where nobody has asked for it yet or it is too old;
// nil if it is known, on its way, or ignored.
func (c *crawler) gate(it *item) *item {
	origin := it.url.Origin()
	c.mu.Lock()
	defer c.mu.Unlock()
	seed := it.seed || c.seedOrigins[origin]
	if c.o.IgnoreRobots && !(c.o.Sitemaps && seed) {
		return nil
	}
	old := c.files.get(origin)
	if old != nil && !c.stale(old) {
		return nil
	}
	file, robots := c.newRobots(it)
	file.seed = seed
	if old != nil {
		file.seed, file.before = old.seed, old.verdict.Load()
	}
	c.files.put(file)
	return robots
}

// newRobots returns a robots.txt of an item's origin that has not been fetched, and the item that does.
func (c *crawler) newRobots(it *item) (*robotsFile, *item) {
	u, err := it.url.Resolve("/robots.txt")
	if err != nil {
		panic(fmt.Sprintf("resolving /robots.txt on %s: %v", it.url, err)) // it has no part that could fail
	}
	file := &robotsFile{origin: it.url.Origin(), host: it.url.Host()}
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
		return c.askRobotsAgain(it), nil
	}
	file.used.Store(true)
	if v := file.verdict.Load(); v != nil && v.err != nil {
		if it.fallback && mayFallBack(v.err) {
			return true, c.fallBack(it)
		}
		if it.sitemap > 0 {
			return true, c.refuseSitemap(it, v.err)
		}
		p := &closing{item: it}
		if !it.check {
			p.record = c.record(it, &response{at: time.Now().UTC()})
		}
		if it.seed {
			c.setStartError(it, v.err)
		}
		return true, c.end(p, change{item: it}, v.err)
	}
	if !file.disallows(it.url) {
		return false, nil
	}
	if it.sitemap > 0 {
		return true, c.refuseSitemap(it, nil)
	}
	if err := c.ledger.close(&entry{change: change{item: it}}); err != nil {
		return true, err
	}
	if it.check {
		c.skipCheck()
	} else {
		c.counter.ItemSkipped()
	}
	return true, nil
}

// robotsAnswer takes the answer to a fetch of robots.txt and opens the gate (RFC 9309, section 2.3.1).
func (c *crawler) robotsAnswer(it *item, r *response) error {
	file := it.robots
	e := &entry{closing: &closing{item: it, response: r}, change: change{item: it}}
	var sitemaps []string
	if to, ok := r.location(it.url); ok && it.redirects < maxRobotsRedirects {
		e.change.to = to
		return c.ledger.close(e)
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
	if verdict.refuses() {
		c.frontier.refuse(file.origin)
	} else {
		e.change.found = c.seekSitemaps(it, sitemaps)
	}
	// The pages go after the sitemaps are kept: after a crash, only a seed that is not done leads to them again.
	if err := c.ledger.close(e); err != nil {
		return err
	}
	c.forgive()
	c.frontier.openGate(file.host)
	return nil
}

// setDelay sets the delay that a host's robots.txt asks for; of several origins' the longest. It is false if the delay
// is longer than this run waits.
func (c *crawler) setDelay(host string, delay time.Duration) bool {
	if delay > c.o.MaxCrawlDelay {
		c.log.Warn(fmt.Sprintf("%s is skipped: its Crawl-delay of %v is above the %v of --max-crawl-delay",
			host, delay, c.o.MaxCrawlDelay))
		return false
	}
	c.delaying.Lock()
	defer c.delaying.Unlock()
	if delay > c.delays[host] {
		c.delays[host] = delay
		c.frontier.setDelay(host, delay)
	}
	return true
}

// stale says whether a robots.txt was answered so long ago that it must be asked for again. One that nothing was fetched
// after stays as it is.
func (c *crawler) stale(file *robotsFile) bool {
	v := file.verdict.Load()
	return v != nil && v.err == nil && !v.skip && time.Since(v.at) >= c.robotsLifetime
}

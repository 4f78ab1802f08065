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
	if c.o.IgnoreRobots {
		return nil, nil
	}
	origin := it.url.Origin()
	if file := c.files[origin]; file != nil {
		return file, nil
	}
	u, err := it.url.Resolve("/robots.txt")
	if err != nil {
		panic(fmt.Sprintf("resolving /robots.txt on %s: %v", it.url, err)) // it has no part that could fail
	}
	file := &robotsFile{origin: origin, host: it.url.Host()}
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
	if v := file.verdict.Load(); v != nil && v.err != nil {
		if it.fallback && mayFallBack(v.err) {
			return true, c.fallBack(it)
		}
		r := &response{at: time.Now().UTC(), err: v.err}
		err = c.finish(it, c.record(it, r), r)
	} else if file.disallows(it.url) {
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
	if to, ok := r.location(it.url); ok && it.redirects < maxRobotsRedirects {
		c.frontier.move(it, to, nil)
		return
	}
	verdict := &robotsVerdict{}
	switch {
	case r.err != nil:
		verdict.err = fmt.Errorf("robots.txt cannot be reached: %w", r.err)
	case r.status == http.StatusTooManyRequests || r.status >= 500:
		verdict.err = fmt.Errorf("robots.txt: %w", r.failure())
	case r.status/100 == 2:
		verdict.rules = parseRobots(r.body, c.token)
		verdict.skip = !c.setDelay(file.host, verdict.rules.delay)
	}
	file.verdict.Store(verdict)
	if verdict.err != nil || verdict.skip {
		c.frontier.refuse(file.origin)
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

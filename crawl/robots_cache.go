package crawl

import "time"

// maxRobotsFiles is how many robots.txt are in memory, by and large. One that has not been asked about for long makes
// room, and is fetched again where it is needed after all.
const maxRobotsFiles = 100_000

// robotsCache holds the robots.txt of origins: those asked about of late, and as many of those before. It requires the
// crawler's mu.
type robotsCache struct {
	most          int
	recent, older map[string]*robotsFile
	dropped       []string // origins that are refused in the frontier and no longer known here
}

// get returns an origin's file, or nil.
func (c *robotsCache) get(origin string) *robotsFile {
	file := c.recent[origin]
	if file == nil {
		if file = c.older[origin]; file != nil {
			delete(c.older, origin)
			c.put(file)
		}
	}
	return file
}

// put keeps a file.
func (c *robotsCache) put(file *robotsFile) {
	if len(c.recent) >= max(1, c.most/2) {
		c.turn()
	}
	if c.recent == nil {
		c.recent = map[string]*robotsFile{}
	}
	delete(c.older, file.origin)
	c.recent[file.origin] = file
}

// turn makes room. Files that are on their way stay, for pages wait for them; and until the first of those had its turn,
// so that hosts that are many and slow do not push each other out for ever.
func (c *robotsCache) turn() {
	recent := map[string]*robotsFile{}
	for origin, file := range c.older {
		switch v := file.verdict.Load(); {
		case v == nil, !file.used.Load():
			recent[origin] = file
		case v.refuses():
			c.dropped = append(c.dropped, origin)
		}
	}
	c.older, c.recent = c.recent, recent
}

// refuses says whether nothing of the origin is ever asked for.
func (v *robotsVerdict) refuses() bool { return v.err != nil || v.skip }

// forgive lets the pages of origins whose refusal is forgotten be asked for like others.
func (c *crawler) forgive() {
	c.mu.Lock()
	dropped := c.files.dropped
	c.files.dropped = nil
	c.mu.Unlock()
	for _, origin := range dropped {
		c.frontier.forgive(origin)
	}
}

// askRobotsAgain gives a page back whose robots.txt made room since it was let through: it waits for it like others. It
// says whether it did.
func (c *crawler) askRobotsAgain(it *item) bool {
	if c.o.IgnoreRobots {
		return false
	}
	c.frontier.forgive(it.url.Origin())
	c.frontier.retry(it, time.Now())
	return true
}

package crawl

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// seeds is what a run is to start from.
type seeds struct {
	items []*item
	bad   map[string]error // what is no URL, and why
}

// parseSeeds turns the seeds into items, and lets their hosts into the scope. A bad seed among good ones is a failed
// item.
func (c *crawler) parseSeeds() (*seeds, error) {
	for hostport := range c.o.Resolve {
		if host, _, err := net.SplitHostPort(hostport); err == nil {
			c.trusted[host] = true
		}
	}
	s := c.readSeeds()
	for _, it := range s.items {
		c.known(knownHost{name: it.url.Host(), seed: true, secure: it.url.Scheme() == "https" && !it.fallback})
		c.seedOrigins[it.url.Origin()] = true
	}
	if len(s.items) > 0 {
		return s, nil
	}
	for text, err := range s.bad {
		return nil, &UsageError{fmt.Sprintf("%q is not a URL to crawl: %v", text, err)}
	}
	if c.o.job != nil {
		return s, nil
	}
	if c.o.State == "" {
		return nil, &UsageError{"there is no URL to crawl"}
	}
	if _, found, err := StateSettings(c.o.State); err != nil || found {
		return s, err
	}
	return nil, &UsageError{fmt.Sprintf("there is no URL to crawl, and %s holds no crawl to go on with", c.o.State)}
}

// readSeeds turns the seeds into items.
func (c *crawler) readSeeds() *seeds {
	s := &seeds{bad: map[string]error{}}
	for _, text := range c.o.Seeds {
		u, fallback, err := parseSeed(text)
		if err != nil {
			s.bad[text] = err
			continue
		}
		u = c.canonical(u)
		s.items = append(s.items, &item{url: u, first: u.String(), seed: true, fallback: fallback})
	}
	return s
}

// plant queues the seeds, all of them at once: of a list that was begun, no resume knows the rest.
func (c *crawler) plant(s *seeds) error {
	for text, why := range s.bad {
		isNew, err := c.frontier.reserve(text)
		if err != nil {
			return err
		}
		if !isNew {
			continue // an earlier run has its record
		}
		c.counter.Grow(1, 0)
		rec := &record{URL: text, FinalURL: text, FetchedAt: time.Now().UTC()}
		p := &closing{item: &item{first: text, seed: true}, record: rec}
		if err := c.end(p, change{}, why); err != nil {
			return err
		}
	}
	return c.queueSeeds(s.items)
}

func (c *crawler) queueSeeds(items []*item) error {
	ch := change{}
	hosts := map[string]bool{}
	for _, seed := range items {
		ch.found = append(ch.found, c.found(seed))
		if name := seed.url.Host(); !hosts[name] {
			hosts[name] = true
			ch.hosts = append(ch.hosts, c.knownAs(name))
		}
	}
	return c.ledger.close(&entry{change: ch})
}

// CheckSeed returns why a text is no seed, or nil.
func CheckSeed(text string) error {
	_, _, err := parseSeed(text)
	return err
}

// parseSeed parses a URL as a user types it. Without a scheme it is https, and fallback says to try http after it.
func parseSeed(text string) (u URL, fallback bool, err error) {
	if before, _, ok := strings.Cut(text, "://"); !ok || strings.ContainsAny(before, "/?#") {
		if u, err = ParseURL("https://" + text); err == nil && !strings.ContainsAny(text, " \t") {
			return u, true, nil
		}
	}
	u, err = ParseURL(text)
	return u, false, err
}

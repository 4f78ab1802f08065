package crawl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"pace/crawl/internal/cookies"
	"pace/limiter"
	"pace/limiter/exchange"
	"pace/limiter/progress"
)

const (
	maxRedirects         = 10
	maxRobotsRedirects   = 5 // RFC 9309, section 2.3.1.2
	defaultMaxCrawlDelay = time.Minute
	longPause            = 30 * time.Second // one that a user is told of
)

// crawler is one run.
type crawler struct {
	o              Options
	log            *slog.Logger
	counter        *progress.Counter
	client         *exchange.Client
	hosts          *limiter.Hosts
	frontier       *frontier
	output         recordWriter
	token          string       // of the user agent, for robots.txt
	jar            *cookies.Jar // nil for none
	dns            *dnsCache
	bodies         bodySet
	deadline       time.Time // of starting requests, with MaxTime
	robotsLifetime time.Duration

	header, headerElsewhere http.Header     // for the seeds' hosts, for all others
	seedHosts               map[string]bool // those that the user's secrets are for
	trusted                 map[string]bool // hosts that may be private: those that the user named

	mu     sync.Mutex
	scope  map[string]bool          // scope keys that links may lead to
	files  map[string]*robotsFile   // by origin
	delays map[string]time.Duration // by host, where robots.txt asks for one
	pages  map[string]int           // admitted, by host

	sitemaps int // queued; guarded by mu
	admitted int // pages of all hosts; guarded by mu

	startErr error // why the only item of the run could not start
}

// Run crawls what o says. The report tells what was done, also when there is an error: a [*UsageError] if the options
// ask for what cannot be done, the cause if ctx was cancelled, or what the run could not go on without.
func Run(ctx context.Context, o Options) (Report, error) {
	c, seeds, err := newCrawler(o)
	if err != nil {
		return Report{Workers: c.workers()}, err
	}
	return c.run(ctx, seeds)
}

// run crawls from the seeds on.
func (c *crawler) run(ctx context.Context, seeds []*item) (Report, error) {
	defer c.client.Close()
	c.deadline = time.Now().Add(c.o.MaxTime)
	if c.o.PerIP > 0 {
		lookups, cancel := context.WithCancel(ctx)
		defer c.frontier.waitForLookups()
		defer cancel()
		c.frontier.addresses = newAddresses(c.o.Rate, c.o.PerIP, func(it *item) string { return c.addressOf(lookups, it) })
	}
	for _, seed := range seeds {
		c.admit(seed)
	}
	err := limiter.Each(ctx, c.o.Mode, c.workers(), c.nextInTime, c.do)
	c.counter.SetTotalKnown()
	c.sayTimeIsOver()
	if jarErr := c.saveJar(); jarErr != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = jarErr
	}
	report := Report{Backend: c.client.Backend(), Workers: c.workers(), Totals: c.counter.Totals()}
	if err == nil && report.Items == 1 && report.ItemsSkipped == 0 {
		err = c.startErr
	}
	return report, err
}

// newCrawler prepares a run and its seeds.
func newCrawler(o Options) (*crawler, []*item, error) {
	c := &crawler{
		o: o, log: o.Log, counter: o.Progress, output: recordWriter{w: o.Output},
		seedHosts: map[string]bool{}, trusted: map[string]bool{}, scope: map[string]bool{},
		files: map[string]*robotsFile{}, delays: map[string]time.Duration{}, pages: map[string]int{},
		dns: newDNSCache(), robotsLifetime: robotsLifetime,
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.counter == nil {
		c.counter = progress.New()
	}
	if c.o.UserAgent == "" {
		c.o.UserAgent = "pace"
	}
	if c.o.MaxCrawlDelay == 0 {
		c.o.MaxCrawlDelay = defaultMaxCrawlDelay
	}
	c.token, _, _ = strings.Cut(c.o.UserAgent, "/")
	c.token = productToken(c.token)
	c.setHeaders()
	c.hosts = limiter.NewHosts(o.Rate, o.PerHost)
	c.frontier = newFrontier(c.hosts, o.MaxPages, c.counter)
	c.client = exchange.New(exchange.Options{
		Mode: o.Mode, Timeout: o.Timeout, Proxy: o.Proxy, MaxIdlePerHost: c.workers(),
		Lookup: c.lookup, Control: c.control, MinSpeed: o.MinSpeed,
	})
	seeds, err := c.parseSeeds()
	if err == nil {
		err = c.openJar()
	}
	return c, seeds, err
}

// workers returns how many requests may be in flight.
func (c *crawler) workers() int {
	switch {
	case c.o.Mode == limiter.Sequential:
		return 1
	case c.o.Workers > 0:
		return c.o.Workers
	}
	return DefaultWorkers
}

// setHeaders builds what is sent with each request. The maps are shared by all requests, which only read them.
func (c *crawler) setHeaders() {
	c.header = c.o.Header.Clone()
	if c.header == nil {
		c.header = http.Header{}
	}
	for key, value := range map[string]string{
		"User-Agent":      c.o.UserAgent,
		"Accept":          "text/html,application/xhtml+xml,*/*;q=0.8",
		"Accept-Encoding": acceptEncoding,
	} {
		if c.header.Get(key) == "" {
			c.header.Set(key, value)
		}
	}
	c.headerElsewhere = c.header.Clone()
	for _, secret := range []string{"Authorization", "Proxy-Authorization", "Cookie", "Host"} {
		c.headerElsewhere.Del(secret)
	}
}

// parseSeeds turns the seeds into items, and lets their hosts into the scope. A bad seed among good ones is a failed
// item.
func (c *crawler) parseSeeds() ([]*item, error) {
	for hostport := range c.o.Resolve {
		if host, _, err := net.SplitHostPort(hostport); err == nil {
			c.trusted[host] = true
		}
	}
	var seeds []*item
	bad := map[string]error{}
	for _, text := range c.o.Seeds {
		u, fallback, err := parseSeed(text)
		if err != nil {
			bad[text] = err
			continue
		}
		u = c.canonical(u)
		c.seedHosts[u.Host()], c.trusted[u.Host()] = true, true
		c.scope[c.o.Scope.key(u.Host())] = true
		seeds = append(seeds, &item{url: u, first: u.String(), seed: true, fallback: fallback})
	}
	if len(seeds) == 0 {
		for text, err := range bad {
			return nil, &UsageError{fmt.Sprintf("%q is not a URL to crawl: %v", text, err)}
		}
		return nil, &UsageError{"there is no URL to crawl"}
	}
	for text, err := range bad {
		c.counter.Grow(1, 0)
		if err := c.fail(&record{URL: text, FinalURL: text, FetchedAt: time.Now().UTC()}, err); err != nil {
			return nil, err
		}
	}
	return seeds, nil
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

// next returns the next item that may be fetched now.
func (c *crawler) next(ctx context.Context) (*item, error) {
	for {
		it, err := c.frontier.next(ctx)
		if err != nil {
			return nil, err
		}
		if it.robots == nil {
			if closed, err := c.refuse(it); err != nil {
				return nil, err
			} else if closed {
				continue
			}
		}
		if c.o.GlobalRate == nil {
			return it, nil
		}
		wait := c.counter.BeginWait()
		err = c.o.GlobalRate.Wait(ctx, 1)
		wait.End()
		return it, err
	}
}

// do fetches one item and sees to what follows from it.
func (c *crawler) do(ctx context.Context, it *item) error {
	limit, cut := c.o.MaxBody, false
	if it.robots != nil {
		limit, cut = maxRobots, true
	}
	r := c.fetch(ctx, it, limit, cut)
	defer r.release()
	if ctx.Err() != nil && r.err != nil {
		return context.Cause(ctx)
	}
	to, redirected := r.location(it.url)
	if redirected {
		r.err = nil // nobody reads the body of a redirect
	}
	if c.tryAgain(it, r) {
		return nil
	}
	if it.robots != nil {
		c.robotsAnswer(it, r)
		return nil
	}
	if it.sitemap > 0 {
		c.sitemapAnswer(it, r)
		return nil
	}
	if r.status == 0 && it.fallback && mayFallBack(r.err) {
		return c.fallBack(it)
	}
	if redirected {
		return c.redirect(it, r, to)
	}
	return c.page(ctx, it, r)
}

// tryAgain queues an item again if its answer asks for it and it has tries left. A host that pushes back is paused.
func (c *crawler) tryAgain(it *item, r *response) bool {
	if stale(r.err) {
		// The kept connection had ended: no answer of the host, so no failed try, but a new turn.
		c.frontier.retry(it, r.at)
		return true
	}
	var pause time.Duration
	switch {
	case r.pushedBack():
		pause = c.frontier.backOff(it, retryAfter(r.header, time.Now()))
	case timedOut(r.err):
		pause = c.frontier.backOff(it, 0) // it may have too much to do already
	case exchange.Retryable(r.err) || r.status >= 500:
		pause = backoff(it.attempts + 1)
	default:
		c.frontier.answered(it)
		return false
	}
	if it.attempts >= c.o.Retries {
		return false
	}
	level := slog.LevelInfo
	if pause >= longPause {
		level = slog.LevelWarn
	}
	c.log.Log(context.Background(), level, "trying again", "item", it.url.String(), "after", pause,
		"error", r.failure())
	it.attempts++
	c.frontier.retry(it, time.Now().Add(pause))
	return true
}

// pushedBack says whether a response asks for less.
func (r *response) pushedBack() bool {
	return r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable
}

// failure returns why a response is a failed one, or nil.
func (r *response) failure() error {
	switch {
	case r.err != nil:
		return r.err
	case r.status == http.StatusTooManyRequests, r.status >= 500:
		return errors.New(strings.TrimSpace(fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))))
	}
	return nil
}

// admit queues a page, if it is new and allowed, after the robots.txt of its origin.
func (c *crawler) admit(it *item) {
	// Not under mu: going through a long robots.txt for one host must not keep all others waiting.
	if file := c.robotsOf(it.url); file != nil && file.disallows(it.url) && !c.stale(file) {
		if it.sitemap > 0 {
			c.log.Info("robots.txt forbids the sitemap", "item", it.url.String())
		} else if c.frontier.skip(it.url) {
			c.counter.Grow(1, 0)
			c.counter.ItemSkipped()
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if it.sitemap == 0 && c.spent(it.url.Host()) || it.sitemap > 0 && !c.moreSitemaps() {
		return
	}
	file, robots := c.robotsFor(it)
	if !c.frontier.add(it, robots) {
		return
	}
	if it.sitemap == 0 {
		c.pages[it.url.Host()]++
		c.admitted++
	}
	if robots != nil {
		c.files[file.origin] = file
	}
}

// spent says whether a host has had its number of pages. It requires that mu is held.
func (c *crawler) spent(host string) bool {
	most := c.o.MaxPagesPerHost
	if most <= 0 || c.admitted < most || c.pages[host] < most {
		return false // most runs have not so many pages on all hosts together, which is quick to see
	}
	if c.pages[host] == most {
		c.pages[host]++ // to say it once
		c.log.Warn(fmt.Sprintf("%s has more than the %d pages of --max-pages-per-host", host, most))
	}
	return true
}

// inScope says whether links may lead to a host.
func (c *crawler) inScope(host string) bool {
	key := c.o.Scope.key(host)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.scope[key]
}

// follows says whether a link to a URL is one to follow.
func (c *crawler) follows(u URL) bool { return c.mayFollow(u) && c.wants(u) }

// mayFollow is follows but for the user's patterns, which are not for seeds.
func (c *crawler) mayFollow(u URL) bool {
	if !c.inScope(u.Host()) || u.trap() != "" {
		return false
	}
	// Names are checked when they are resolved; an address needs no connection to be refused.
	addr, err := netip.ParseAddr(u.Host())
	return err != nil || c.control(u.Host(), netip.AddrPortFrom(addr, 0), false) == nil
}

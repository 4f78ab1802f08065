package crawl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
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
	maxHeader            = 64 << 10         // of an answer; parsed, it takes up to 20 times as much, in no page's share
)

// crawler is one run.
type crawler struct {
	o           Options
	log         *slog.Logger
	counter     *progress.Counter
	client      *exchange.Client
	room        *room
	hosts       *limiter.Hosts
	frontier    frontier
	outputs     *outputs
	ledger      *ledger
	requeue     func(context.Context) error // finishes the beginning of a recrawl; nil without a state
	whole       bool                        // no page is asked for on a condition
	state       *state                      // nil if the crawl ends with the process
	outputLocks locks                       // of a fleet's worker
	fleet       *fleetFrontier              // the frontier, if it is shared; else nil

	token          string       // of the user agent, for robots.txt
	jar            *cookies.Jar // nil for none
	jarSaving      sync.Mutex   // guards the next two
	jarEdits       uint64       // what of it the file has
	jarSaved       time.Time
	dns            *dnsCache
	bodies         bodySet
	deadline       time.Time // of starting requests, with MaxTime
	robotsLifetime time.Duration

	header, headerElsewhere http.Header // for the seeds' hosts, for all others

	mu          sync.Mutex      // taken with the frontier's held, so the frontier is not called under it
	seedHosts   map[string]bool // those that the user's secrets are for; true if they may go in the clear
	trusted     map[string]bool // hosts that may be private: those that the user named
	scope       map[string]bool // scope keys that links may lead to
	files       robotsCache
	seedOrigins map[string]bool // whose sitemaps count

	delaying sync.Mutex
	delays   map[string]time.Duration // by host, where robots.txt asks for one

	linksChecked, linksFailed atomic.Int64

	tuner *limiter.Tuner // with AutoWorkers

	startErr error // why the only item of the run could not start
}

// Run crawls what o says. The report tells what was done, also when there is an error: a [*UsageError] if the options
// ask for what cannot be done, the cause if ctx was cancelled, or what the run could not go on without.
func Run(ctx context.Context, o Options) (Report, error) {
	if err := joinFleet(ctx, &o); err != nil {
		return Report{Workers: (&crawler{o: o}).workers()}, err
	}
	c, seeds, err := newCrawler(o)
	if err != nil {
		if o.job != nil && c.fleet == nil {
			_ = o.job.Close(ctx) // the error that stopped it says more
		}
		return Report{Workers: c.workers()}, err
	}
	return c.run(ctx, seeds)
}

// run crawls from the seeds on.
func (c *crawler) run(ctx context.Context, seeds *seeds) (Report, error) {
	defer c.client.Close()
	c.deadline = time.Now().Add(c.o.MaxTime)
	if c.o.PerIP > 0 {
		lookups, cancel := context.WithCancel(ctx)
		defer c.frontier.waitForLookups()
		defer cancel()
		c.frontier.setAddresses(newAddresses(c.o.Rate, c.o.PerIP, func(it *item) string { return c.addressOf(lookups, it) }))
	}
	defer func() { c.tuner.Stop() }()
	var err error
	if c.requeue != nil {
		err = c.requeue(ctx)
	}
	switch {
	case err != nil:
	case c.fleet != nil:
		defer c.watchFleet(ctx)()
		err = c.plantShared(ctx, seeds)
	default:
		err = c.plant(seeds)
	}
	if err == nil && c.state != nil {
		// Not before the seeds are in it: who resumes a state need not name them again.
		err = c.state.keep(c.o.Settings)
	}
	if err == nil && c.state != nil && c.state.resumed && !c.frontier.left() {
		c.log.Warn(fmt.Sprintf("%s is finished: nothing of it is left to do", c.o.State))
	}
	if err == nil {
		err = c.keepingJar(ctx, func() error {
			return limiter.EachOf(ctx, c.o.Mode, c.crew(), c.nextInTime, c.do)
		})
	}
	c.counter.SetTotalKnown()
	cut := c.sayTimeIsOver()
	var dead int64
	if err == nil && !cut {
		dead, err = c.sayFleet(ctx)
	}
	// Without a state nothing could go on with what was cut short.
	finished := err == nil && !cut || c.state == nil
	for _, end := range []error{c.close(finished), c.saveJar()} {
		if end != nil && (err == nil || errors.Is(err, context.Canceled)) {
			err = end
		}
	}
	report := Report{
		Backend: c.client.Backend(), Workers: c.settled(), WorkerSteps: c.tuner.Steps(), Totals: c.counter.Totals(),
		BrokenLinks: brokenLinks(c.outputs.all), LinksChecked: c.linksChecked.Load(), LinksFailed: c.linksFailed.Load(),
		FailedElsewhere: dead,
	}
	if err == nil && report.Items == 1 && report.ItemsSkipped == 0 {
		err = c.startErr
	}
	return report, err
}

// newCrawler prepares a run and its seeds.
func newCrawler(o Options) (*crawler, *seeds, error) {
	c := &crawler{
		o: o, log: o.Log, counter: o.Progress,
		seedHosts: map[string]bool{}, trusted: map[string]bool{}, scope: map[string]bool{},
		files: robotsCache{most: maxRobotsFiles}, delays: map[string]time.Duration{}, seedOrigins: map[string]bool{},
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
	c.o.Requisites = c.o.Requisites || c.o.Mirror != ""
	c.setHeaders()
	seeds, err := c.parseSeeds()
	if err == nil {
		err = c.openJar()
	}
	if err != nil {
		return c, nil, err
	}
	c.room = newRoom(c.workers())
	c.hosts = limiter.NewHosts(o.Rate, o.PerHost)
	if err := c.openOutputs(); err != nil {
		return c, nil, err
	}
	c.client = exchange.New(exchange.Options{
		Mode: o.Mode, Timeout: o.Timeout, Proxy: o.Proxy, MaxIdlePerHost: c.workers(),
		Lookup: c.lookup, Control: c.control, MinSpeed: o.MinSpeed, MaxHeader: maxHeader,
	})
	return c, seeds, nil
}

// workers returns how many requests may be in flight, at most.
func (c *crawler) workers() int {
	switch {
	case c.o.Mode == limiter.Sequential:
		return 1
	case c.o.AutoWorkers && c.o.MaxWorkers > 0:
		return c.o.MaxWorkers
	case c.o.AutoWorkers:
		return DefaultMaxWorkers
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

// known lets links lead to a host; to one that the user named, also if it is private and with the user's secrets.
func (c *crawler) known(host knownHost) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if host.seed {
		c.seedHosts[host.name] = c.seedHosts[host.name] || !host.secure
		c.trusted[host.name] = true
	}
	c.scope[c.o.Scope.key(host.name)] = true
}

// knownAs returns a host that links may lead to, as a state is to keep it.
func (c *crawler) knownAs(name string) knownHost {
	inClear, seed := c.isSeedHost(name)
	return knownHost{name: name, seed: seed, secure: seed && !inClear}
}

// isSeedHost says whether the user named a host, and if so, whether also for http.
func (c *crawler) isSeedHost(name string) (inClear, seed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	inClear, seed = c.seedHosts[name]
	return inClear, seed
}

// isTrusted says whether a host may be private.
func (c *crawler) isTrusted(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trusted[name]
}

// open brings a host into the scope.
func (c *crawler) open(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scope[c.o.Scope.key(host)] = true
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
	switch {
	case it.robots != nil:
		limit, cut = maxRobots, true
	case it.check:
		limit, cut = maxCheck, true
	}
	r := c.fetch(ctx, it, limit, cut)
	defer r.release()
	if ctx.Err() != nil && r.err != nil {
		return context.Cause(ctx)
	}
	if !holds(c.frontier, it) {
		c.frontier.giveUp(it)
		return nil
	}
	if err := c.takeForOutputs(r); err != nil {
		return err
	}
	to, redirected := r.location(it.url)
	if redirected {
		r.err = nil // nobody reads the body of a redirect
	}
	if again, err := c.tryAgain(it, r); again || err != nil {
		return err
	}
	c.answered(it, r)
	if it.robots != nil {
		return c.robotsAnswer(it, r)
	}
	if it.check && !it.get && lacksHEAD(r.status) {
		c.getInstead(it)
		return nil
	}
	if it.sitemap > 0 {
		return c.sitemapAnswer(it, r)
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
func (c *crawler) tryAgain(it *item, r *response) (again bool, err error) {
	if stale(r.err) {
		// The kept connection had ended: no answer of the host, so no failed try, but a new turn.
		c.frontier.retry(it, r.at)
		return true, nil
	}
	var pause time.Duration
	switch {
	case r.pushedBack():
		pause = c.frontier.backOff(it, exchange.RetryAfter(r.header, time.Now()))
	case timedOut(r.err):
		pause = c.frontier.backOff(it, 0) // it may have too much to do already
	case exchange.Retryable(r.err) || r.status >= 500:
		pause = exchange.Backoff(it.attempts + 1)
	default:
		c.frontier.answered(it)
		return false, nil
	}
	if it.attempts >= c.o.Retries {
		return false, nil
	}
	// Before the retry: until then the item is in flight, and a crash repeats it.
	if err := c.archiveTry(it, r); err != nil {
		return false, err
	}
	level := slog.LevelInfo
	if pause >= longPause {
		level = slog.LevelWarn
	}
	c.log.Log(context.Background(), level, "trying again", "item", it.url.String(), "after", pause,
		"error", r.failure())
	it.attempts++
	c.frontier.retry(it, time.Now().Add(pause))
	return true, nil
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
		return statusError(r.status)
	}
	return nil
}

func statusError(status int) error {
	return errors.New(strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status))))
}

// inScope says whether links may lead to a host.
func (c *crawler) inScope(host string) bool {
	key := c.o.Scope.key(host)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.scope[key]
}

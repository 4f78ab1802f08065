package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"

	"pace/crawl"
	"pace/limiter"
)

var (
	scopeKind = choice("scope", []string{"host", "domain", "any"},
		[]crawl.Scope{crawl.ScopeHost, crawl.ScopeDomain, crawl.ScopeAny})
	noFollowKind = choice("choice", []string{"honour", "ignore"}, []bool{false, true})
	robotsKind   = choice("choice", []string{"obey", "ignore"}, []bool{false, true})
	selectorKind = kind[crawl.Selector]{
		usage: "use for example title=h1 or image=img@src", parse: crawl.ParseSelector,
	}
)

const gcBallast = 64 << 20

// crawlFlags is what the command line of crawl says.
type crawlFlags struct {
	job
	input, output     string
	depth, maxPages   int
	maxPerHost        int
	maxTime           time.Duration
	sitemaps          bool
	scope             crawl.Scope
	include, exclude  []*regexp.Regexp
	stripQuery        []*regexp.Regexp
	contentType       *regexp.Regexp
	ignoreNoFollow    bool
	rate, globalRate  float64
	perHost, perIP    int
	minSpeed          float64
	cookieJar         string
	timeout, maxDelay time.Duration
	maxBody           int64
	retries           int
	userAgent         string
	header            []headerLine
	ignoreRobots      bool
	allowPrivate      bool
	resolve           []resolved
	proxy             proxyFunc
	selectors         []crawl.Selector
	state             string
	fsync, recrawl    bool
	settings          map[string]string // what a state keeps of the flags
	warc              string
	warcSize          int64
	mirror, graph     string
	requisites        bool
	checkLinks        bool
	shared            shared
}

func crawlCommand(std streams) *cli.Command {
	f := &crawlFlags{job: job{tool: "crawl", unit: inPages, std: std}}
	return &cli.Command{
		Name:     "crawl",
		HideHelp: true,
		Usage:    "fetch pages and follow their links, politely",
		UsageText: "pace crawl [flags] URL...\npace crawl [flags] --input FILE\npace crawl --state DIR\n" +
			"pace crawl --fleet URL --job NAME",
		Description: `
Fetches the URLs, finds their links and follows them to the depth asked for.
Each page is one JSON object on a line of the output. Every host has its own
pace, which holds over all workers, retries and redirects; robots.txt is obeyed.

Examples:
  pace crawl --depth 2 --output pages.jsonl https://example.org/
  pace crawl --sitemaps --include /docs/ https://example.org/
  pace crawl --depth 0 --select title=h1 --select image=img@src URL | jq .
  pace crawl --mirror site --output pages.jsonl https://example.org/
  pace crawl --check-links --output pages.jsonl https://example.org/
  pace crawl --rate 10/s --resolve www.test:80:127.0.0.1 http://www.test/
  pace crawl --state news --output news.jsonl URL   and, after it was stopped:
  pace crawl --state news
  pace crawl --state news --recrawl   once it is finished, to see what is new
  pace crawl --fleet redis://10.0.0.5:6379 --job news --output a.jsonl URL
                                      on each of many machines`,
		Flags: f.flags(),
		Action: func(c *cli.Context) error {
			if f.shared.url != "" {
				if err := f.shared.check("crawl"); err != nil {
					return err
				}
				settings, err := f.shared.jobSettings(c)
				if err != nil {
					return err
				}
				f.settings = settings
			}
			if f.state != "" {
				settings, err := f.restore(c)
				if err != nil {
					return err
				}
				f.settings = settings
			}
			return f.crawl(c.Context, c.Args().Slice())
		},
	}
}

func (f *crawlFlags) flags() []cli.Flag {
	const what, polite, request, records = "Which pages", "How politely", "How they are asked for", "What is written"
	const keep = "To go on later"
	many := countKind(0, 1<<31-1, "5")
	flags := []cli.Flag{
		valueFlag(what, "input", "read URLs from `FILE`, one a line; # begins a comment, - is stdin",
			into(&f.input, textKind, "")),
		valueFlag(what, "depth", "follow links `N` times; 0 fetches the given URLs only", into(&f.depth, many, "5")),
		valueFlag(what, "max-pages", "take at most `N` URLs; 0 is unlimited; sitemaps and robots.txt do not count",
			into(&f.maxPages, many, "0")),
		valueFlag(what, "max-pages-per-host", "take at most `N` URLs of one host; 0 is unlimited",
			into(&f.maxPerHost, many, "1000000")),
		valueFlag(what, "max-time", "start no request after `DURATION`; those in flight end; 0 is unlimited",
			into(&f.maxTime, durationKind, "0")),
		switchFlag(what, "sitemaps", "take the URLs of the given hosts' sitemaps too, which robots.txt names, on any host, else "+
			"/sitemap.xml; at most 50,000 sitemaps are read, which --max-pages does not count",
			&f.sitemaps),
		valueFlag(what, "scope", "follow links within `SCOPE`: host (those of the given URLs), domain or any",
			into(&f.scope, scopeKind, "host")),
		valueFlag(what, "include", "follow links whose URL matches `REGEX`; given URLs are always fetched; may be repeated",
			each(&f.include, regexKind)),
		valueFlag(what, "exclude", "follow no links whose URL matches `REGEX`; may be repeated", each(&f.exclude, regexKind)),
		valueFlag(what, "strip-query", "leave out query parameters whose name matches `REGEX`, as '^utm_'; may be repeated",
			each(&f.stripQuery, regexKind)),
		valueFlag(what, "content-type", "download only bodies whose type matches `REGEX`, as '^text/'; others have a record only",
			into(&f.contentType, regexKind, "")),
		valueFlag(what, "nofollow", "links marked nofollow: `CHOICE` is honour or ignore",
			into(&f.ignoreNoFollow, noFollowKind, "honour")),
		switchFlag(what, "allow-private", "let links lead into private and loopback networks", &f.allowPrivate),

		valueFlag(polite, "rate", "start requests to one host at `RATE`; 0 is unlimited",
			into(&f.rate, rateKind, "2/s")),
		valueFlag(polite, "per-host", "keep at most `N` requests to one host in flight; 0 is unlimited",
			into(&f.perHost, many, "2")),
		valueFlag(polite, "per-ip", "hold --rate and at most `N` requests in flight for each address too; 0 does not",
			into(&f.perIP, many, "0")),
		valueFlag(polite, "global-rate", "start requests to all hosts together at `RATE`, with --fleet those of all processes; "+
			"0 is unlimited",
			into(&f.globalRate, rateKind, "0")),
		valueFlag(polite, "robots", "robots.txt: `CHOICE` is obey or ignore",
			into(&f.ignoreRobots, robotsKind, "obey")),
		valueFlag(polite, "max-crawl-delay", "skip a host whose robots.txt asks for more than `DURATION`; 0 is unlimited",
			into(&f.maxDelay, durationKind, "60s")),

		valueFlag(request, "timeout", "one exchange may take `DURATION` as a whole; 0 is unlimited",
			into(&f.timeout, durationKind, "30s")),
		valueFlag(request, "min-speed", "fail an answer that comes more slowly than `RATE` over 10 s; 0 waits for --timeout",
			into(&f.minSpeed, byteRateKind, "0")),
		valueFlag(request, "max-body", "fail a page with a body over `SIZE`; 0 is unlimited",
			into(&f.maxBody, sizeKind, "16MiB")),
		valueFlag(request, "retries", "try `N` times again after a lost connection, 429 or 5xx",
			into(&f.retries, many, "2")),
		valueFlag(request, "user-agent",
			"call itself `NAME`; robots.txt is matched with the part before / (default pace/VERSION)",
			into(&f.userAgent, textKind, "")),
		valueFlag(request, "header", "send `LINE` with each request, for example 'Accept-Language: en'; may be repeated; "+
			"Authorization, Cookie and Host only to the given hosts, and not over http where https was given",
			each(&f.header, headerKind)),
		valueFlag(request, "cookie-jar", "take and send cookies; read them from `FILE` and write them back, as curl has them; "+
			"with --state while the crawl runs too",
			into(&f.cookieJar, textKind, "")),
		valueFlag(request, "resolve", "`HOST:PORT:ADDR` connects to ADDR for that host and port, as curl; may be repeated",
			each(&f.resolve, resolveKind)),
		valueFlag(request, "proxy", "go through the proxy `URL` (http, https, socks5); default as the environment says",
			into(&f.proxy, proxyKind, "")),

		valueFlag(records, "output",
			"write the records to `FILE`, which is emptied, or with --state or --fleet continued; - is stdout",
			into(&f.output, textKind, "-")),
		valueFlag(records, "select", "`NAME=CSS` adds the text that CSS finds, NAME=CSS@ATTR an attribute; may be repeated",
			each(&f.selectors, selectorKind)),
		valueFlag(records, "warc",
			"archive each exchange in WARC 1.1 files, `PREFIX`-00000.warc.gz and so on, with the index PREFIX.cdxj; "+
				"what is sent, --header too, is in them", into(&f.warc, textKind, "")),
		valueFlag(records, "warc-size", "begin the next WARC file at `SIZE`", into(&f.warcSize, sizeKind, "1GB")),
		valueFlag(records, "mirror", "keep the pages as files in the folder `DIR`, with links among them that work offline; "+
			"implies --requisites", into(&f.mirror, textKind, "")),
		switchFlag(what, "requisites",
			"fetch images, styles, scripts and fonts too, from any host and one level past --depth", &f.requisites),
		switchFlag(records, "check-links", "report the broken links, with the pages that have them: those off the scope or "+
			"past --depth are asked for once, by HEAD, and counted apart, as links_checked; fragments are not checked",
			&f.checkLinks),
		valueFlag(records, "graph", "write all links to `FILE` as CSV: source, target, kind, text", into(&f.graph, textKind, "")),

		valueFlag(keep, "state", "keep the crawl in folder `DIR`, to go on with after a crash or Ctrl-C; other flags"+
			" are then as they were, and the output is continued if it is a file", into(&f.state, textKind, "")),
		switchFlag(keep, "recrawl", "fetch all pages of a finished --state again, and new ones: those that have not changed "+
			"are 304 without links; --output begins anew, --warc goes on; an unfinished crawl is only finished", &f.recrawl),
		switchFlag(keep, "fsync", "let the state and the records hold through a power cut too; with --fleet, the outputs",
			&f.fsync),
	}
	flags = append(flags, f.shared.flags()...)
	flags = append(flags, f.howFlags(fmt.Sprintf(" (default %d)", crawl.DefaultWorkers), crawl.DefaultMaxWorkers)...)
	return append(flags, f.showFlags()...)
}

// crawl runs the library between the records' opening and closing.
func (f *crawlFlags) crawl(ctx context.Context, operands []string) error {
	if err := f.checkPaths(); err != nil {
		return err
	}
	if f.fsync && f.state == "" && f.shared.url == "" {
		return usagef("crawl", "--fsync is of use with --state or --fleet only")
	}
	if f.recrawl && f.state == "" {
		return usagef("crawl", "--recrawl is of use with --state only")
	}
	if err := f.shared.check("crawl"); err != nil {
		return err
	}
	if f.input == "" && len(operands) == 0 && f.state == "" && f.shared.url == "" {
		return operandsError("crawl", "no URL given")
	}
	for _, seed := range operands {
		if err := crawl.CheckSeed(seed); err != nil {
			return usagef("crawl", "%q: %v; use for example https://example.org/", seed, err)
		}
	}
	if f.workers == 0 {
		f.workers = crawl.DefaultWorkers
	}
	if f.userAgent == "" {
		f.userAgent = "pace/" + version()
	}
	if f.maxDelay == 0 {
		f.maxDelay = math.MaxInt64
	}
	if f.state != "" {
		f.resume = "pace crawl --state " + shellWord(f.state)
	} else if f.shared.url != "" {
		f.resume = f.shared.resumeWords("crawl")
		if f.output != "-" {
			f.resume += " --output " + shellWord(f.output)
		}
	}
	// A crawl lives in a few megabytes and makes garbage with each page. What is never touched takes no memory, but the
	// garbage collector, which waits until the heap has doubled, comes less often for it.
	ballast := make([]byte, gcBallast)
	defer runtime.KeepAlive(ballast)
	return f.run(ctx, func(ctx context.Context, r running) (outcome, error) {
		seeds, err := f.seeds(ctx, operands)
		if err != nil {
			return outcome{}, err
		}
		o := f.options(seeds)
		o.Progress, o.Log = r.counter, r.log
		durable := f.state != "" || f.shared.url != "" // what is done is never fetched again
		if durable && f.output != "-" {
			o.OutputFile = f.output
			rep, err := crawl.Run(ctx, o)
			return f.outcome(rep), err
		}
		out, err := openRecords(f.output, r.screen, f.std.stdout)
		if err != nil {
			return outcome{}, err
		}
		out.atOnce = durable
		o.Output = out
		rep, err := crawl.Run(ctx, o)
		if closeErr := out.Close(); closeErr != nil && (err == nil || errors.Is(err, context.Canceled)) {
			err = closeErr
		}
		return f.outcome(rep), err
	})
}

func (f *crawlFlags) outcome(rep crawl.Report) outcome {
	done := outcome{
		backend: rep.Backend, workers: rep.Workers, steps: rep.WorkerSteps, totals: rep.Totals,
		failedElsewhere: rep.FailedElsewhere,
	}
	if f.checkLinks {
		done.broken = append([]crawl.BrokenLink{}, rep.BrokenLinks...)
		done.linksChecked, done.linksFailed = &rep.LinksChecked, rep.LinksFailed
	}
	return done
}

func (f *crawlFlags) options(seeds []string) crawl.Options {
	o := crawl.Options{
		Seeds: seeds, Depth: f.depth, MaxPages: f.maxPages, MaxPagesPerHost: f.maxPerHost, MaxTime: f.maxTime,
		Sitemaps: f.sitemaps, Scope: f.scope, Include: f.include, Exclude: f.exclude, StripQuery: f.stripQuery,
		ContentType: f.contentType, IgnoreNoFollow: f.ignoreNoFollow, PerIP: f.perIP,
		MinSpeed: f.minSpeed, CookieJar: f.cookieJar,
		Mode: f.mode, Workers: f.fixedWorkers(), AutoWorkers: f.workers == autoWorkers, MaxWorkers: f.mostAuto,
		Rate: f.rate, PerHost: f.perHost,
		Timeout: f.timeout, MaxBody: f.maxBody, Retries: f.retries,
		UserAgent: f.userAgent, Header: http.Header{}, IgnoreRobots: f.ignoreRobots, MaxCrawlDelay: f.maxDelay,
		AllowPrivate: f.allowPrivate, Resolve: map[string]netip.AddrPort{}, Proxy: f.proxy, Select: f.selectors,
		State: f.state, Recrawl: f.recrawl, Fsync: f.fsync, Settings: f.settings, Fleet: f.shared.fleetOptions(),
		WARC: f.warc, WARCSize: f.warcSize, Mirror: f.mirror, Requisites: f.requisites, CheckLinks: f.checkLinks,
		Graph: f.graph,
	}
	if f.globalRate > 0 {
		o.GlobalRate = limiter.NewRate(f.globalRate)
	}
	for _, h := range f.header {
		o.Header.Add(h.name, h.value)
	}
	for _, r := range f.resolve {
		o.Resolve[r.hostPort] = r.addr
	}
	if o.Proxy == nil {
		o.Proxy = environmentProxy()
	}
	return o
}

// seeds returns the URLs of the command line and of --input.
func (f *crawlFlags) seeds(ctx context.Context, operands []string) ([]string, error) {
	if f.input == "" {
		return operands, nil
	}
	r := f.std.stdin
	if f.input != "-" {
		file, err := openInput(f.input)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		r = file
	}
	listed, err := readSeeds(ctx, r)
	if err == nil && len(operands)+len(listed) == 0 {
		err = usagef("crawl", "no URL in %s", f.input)
	}
	return append(operands, listed...), err
}

type proxyFunc = func(*url.URL) (*url.URL, error)

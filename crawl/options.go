// Package crawl fetches pages and follows their links, politely: every host has its own pace, held over all workers.
package crawl

import (
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"time"

	"pace/limiter"
	"pace/limiter/fleet"
	"pace/limiter/progress"
)

// Options says what to crawl and how.
type Options struct {
	// Seeds are the URLs to start from. A missing scheme means https, then http.
	Seeds []string
	// Sitemaps makes the URLs of the sitemaps of the seeds' origins seeds too, where the scope allows it: of those that
	// robots.txt names, on whatever host they stand, or else of /sitemap.xml, and of a seed that is a sitemap. At most
	// 50,000 of them are read, over all runs of a State.
	Sitemaps bool
	// Depth is how many links away from a seed pages are fetched; 0 means the seeds only.
	Depth int
	// MaxPages bounds how many URLs are admitted; 0 is unlimited. Neither sitemaps nor robots.txt count: they are no pages
	// and have no record.
	MaxPages int
	// MaxPagesPerHost bounds how many URLs of one host are admitted; 0 is unlimited.
	MaxPagesPerHost int
	// MaxTime bounds how long requests are started; those in flight then go on to their end. 0 is unlimited.
	MaxTime time.Duration
	// Scope says which hosts links may lead to.
	Scope Scope
	// Include and Exclude say which links are followed, by their whole URL: those that match one of Include, or all if
	// there is none, but not those that match one of Exclude. Seeds are always fetched.
	Include, Exclude []*regexp.Regexp
	// StripQuery removes the query parameters with a matching name from every URL, as those of session ids.
	StripQuery []*regexp.Regexp
	// ContentType keeps the bodies of other types from being downloaded; their records have no bytes and no SHA-256. It
	// is matched with the media type in lower case, without parameters. Answers without a type are downloaded. nil
	// downloads all.
	ContentType *regexp.Regexp
	// IgnoreNoFollow follows links that rel=nofollow, meta robots or X-Robots-Tag ask not to follow.
	IgnoreNoFollow bool

	// Mode is how requests are driven.
	Mode limiter.Mode
	// Workers is how many requests are in flight; 0 means [DefaultWorkers]. Sequential has one.
	Workers int
	// AutoWorkers finds their number while the crawl goes on, where its throughput grows no more (see [limiter.Tuner]), and
	// Workers does not count. Sequential has one.
	AutoWorkers bool
	// MaxWorkers bounds AutoWorkers; 0 means [DefaultMaxWorkers].
	MaxWorkers int
	// Rate is the most request starts a second on one host; 0 is unlimited.
	Rate float64
	// PerHost is the most requests in flight on one host; 0 is unlimited.
	PerHost int
	// PerIP holds Rate and a number of requests in flight for each address too, for all hosts together that have it. 0
	// does not.
	PerIP int
	// GlobalRate limits request starts over all hosts, with a Fleet those of all its workers together; nil is unlimited.
	GlobalRate *limiter.Rate

	// Timeout bounds one whole exchange, from connecting to the last byte; 0 is unlimited.
	Timeout time.Duration
	// MinSpeed fails an answer of which fewer bytes a second arrive, over any 10 s from its first byte on; 0 waits for
	// the Timeout.
	MinSpeed float64
	// MaxBody is the most bytes of one decoded body; a longer one fails the page. 0 is unlimited.
	MaxBody int64
	// Retries is how often a request is tried again after a connection error, 429 or 5xx.
	Retries int

	// UserAgent is sent with each request; its part before the first slash is the product token that robots.txt is
	// matched with. Empty means "pace".
	UserAgent string
	// Header is sent with each request, but Authorization, Proxy-Authorization, Cookie and Host only to the seeds' hosts,
	// and over http only to those that a seed does not name with https alone.
	Header http.Header
	// CookieJar is a file of cookies in Netscape's format, as curl has it: read if it exists, and replaced at the end of
	// the run; with a State also during it, about once a second while cookies change, so that a run after a crash has them.
	// Empty means that cookies are neither taken nor sent.
	CookieJar string
	// IgnoreRobots fetches what robots.txt forbids.
	IgnoreRobots bool
	// MaxCrawlDelay is the longest Crawl-delay that is waited for; a host that asks for more is skipped. 0 means 60 s.
	MaxCrawlDelay time.Duration
	// AllowPrivate lets links lead into private and loopback networks.
	AllowPrivate bool
	// Resolve gives addresses to use instead of asking the DNS, by "host:port".
	Resolve map[string]netip.AddrPort
	// Proxy returns the proxy for a URL, or nil for none. nil means no proxy.
	Proxy func(*url.URL) (*url.URL, error)

	// Select extracts text or attributes from each HTML page.
	Select []Selector
	// Output receives one JSON object a line for each page, with one Write each; nil for none. A State continues it as
	// well as a writer can be continued: what was written for pages that a crash undid stays.
	Output io.Writer
	// OutputFile is a file to write them to instead of Output, each with one system call. It is emptied, but with a State
	// that was left unfinished cut back to the records of the pages that count, and continued. With a Fleet, all outputs go
	// on with what their files hold, and are locked: each worker needs its own. Empty for none.
	OutputFile string

	// State is a folder that keeps the crawl, so that a later run goes on where this one ended, however it ended: no URL
	// that was discovered is lost, and only pages in flight are fetched again. It is made if it is missing; if it holds
	// a crawl, Seeds may be empty. Empty for none.
	State string
	// Fleet shares the crawl with other processes, through a job on Redis; nil does not. Each takes hosts of which no other
	// fetches anything meanwhile, and writes outputs of its own. Seeds may be empty where the job exists. Gap and Settings
	// are set by the crawl. It goes neither with State nor with PerIP.
	Fleet *fleet.Options
	job   *fleet.Job // that was joined

	// Recrawl fetches every page of the finished crawl in State again, with conditional requests where an earlier answer
	// had an ETag or Last-Modified, and follows the links that are new. Of pages that have not changed no links are looked
	// at: what they link to is known and fetched again by itself, though not what a robots.txt forbade. With another Depth
	// or other choices of links than the last crawl had, all pages are fetched whole, as they are for Mirror, CheckLinks and
	// Graph, which need the bodies. Outputs begin anew, except that WARC files are continued. A crawl that is unfinished is
	// finished first, and that is all the run does.
	Recrawl bool
	// Fsync lets State hold through a power cut too, not only through the end of the process; with a Fleet, the outputs.
	Fsync bool
	// Settings is what the user chose, in words. A State keeps it, and a run whose settings differ is logged at level
	// Warn.
	Settings map[string]string

	// WARC is what the names of WARC 1.1 files begin with, which keep every exchange that got an answer as it went over the
	// wire, also where the page was tried again after it, but no mere checks: PREFIX-00000.warc.gz and so on, with their
	// index PREFIX.cdxj. Empty means none.
	WARC string
	// WARCSize is the size in bytes at which the next WARC file is begun; 0 means 1 GB.
	WARCSize int64
	// Mirror is a folder for the pages as files, with the links among them rewritten to lead from file to file; empty
	// means none. It implies Requisites.
	Mirror string
	// Requisites fetches what pages need to be shown (images, styles, scripts, media, and what styles name) too: from
	// any host, and from pages of the last depth as well.
	Requisites bool
	// CheckLinks asks for the targets of all links, also of those that are not followed, and reports the broken ones.
	CheckLinks bool
	// LinkSpool is the file in which CheckLinks keeps what it has seen; empty means one in State, or else a temporary one.
	LinkSpool string
	// Graph is a file for all links as CSV: source, target, kind, text. Empty means none.
	Graph string

	// Progress receives what the run does; nil for none.
	Progress *progress.Counter
	// Log receives what the user may want to know: each failed item at level Error with the attributes "item" and
	// "error", a host that is skipped at level Warn. nil for none.
	Log *slog.Logger
}

// Report is what a run of [Run] did.
type Report struct {
	// Backend is what drove the I/O: blocking or poller.
	Backend string
	// Workers is how many requests could be in flight; with AutoWorkers, at the end.
	Workers int
	// WorkerSteps are the numbers that AutoWorkers had them be, in order; nil without it.
	WorkerSteps []limiter.Step
	// Totals has as items the pages; what CheckLinks left out for a robots.txt or a private network is among those skipped.
	progress.Totals
	// LinksChecked is how many targets were only checked: off the scope or past the depth, and no items. LinksFailed of
	// them are broken or, as after a last 429, not known not to be; they are among the Errors.
	LinksChecked, LinksFailed int64
	// BrokenLinks are those that CheckLinks found, sorted by URL.
	BrokenLinks []BrokenLink
	// FailedElsewhere counts the pages that a fleet's job gave up because workers that had them in hand ended. They are no
	// items of this run.
	FailedElsewhere int64
}

// Scope is a choice of which hosts links may lead to. It implements flag.Value.
type Scope int

const (
	ScopeHost   Scope = iota // the seeds' hosts
	ScopeDomain              // the seeds' registered domains and all below them
	ScopeAny                 // every host
)

// UsageError says that Options ask for what cannot be done.
type UsageError struct{ message string }

func (e *UsageError) Error() string { return e.message }

// DefaultWorkers is how many requests are in flight unless told otherwise.
const DefaultWorkers = 64

// DefaultMaxWorkers is what AutoWorkers goes up to unless told otherwise: more requests than that are too many for most
// sites, and in threads mode they are as many threads.
const DefaultMaxWorkers = 256

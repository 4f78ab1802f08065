package site

import (
	"fmt"
	"net/http"
	"time"
)

// Options says what the site is like. The zero value of each field is its default.
type Options struct {
	// Pages is how many pages there are: / and /p/1 to /p/(Pages-1); 0 means [DefaultPages].
	Pages int
	// Links is how many links a page has, as far as its size has room; 0 means [DefaultLinks]. Half of them, rounded up,
	// lead to pages that no other page needs to link to, so a page is log(Pages)/log(Links/2) links away from /.
	Links int
	// Depth is how many links a page may be away from /, in whatever order the links are followed; 0 is as many as come of
	// Links. Where Links are too few for it, pages have more, and no link leads just anywhere.
	Depth int
	// PageSize is the length of each page in bytes, unless its links need more; 0 means [DefaultPageSize].
	PageSize int
	// Gzip compresses pages and sitemaps for clients that accept it, and has robots.txt and the index of sitemaps name
	// the compressed files.
	Gzip bool

	// Latency is how long a page or blob waits before it answers, however many others do.
	Latency time.Duration
	// Jitter is by how much that time differs between URLs, either way. A URL always waits equally long.
	Jitter time.Duration
	// TailShare is the share of the URLs, from 0 to 1, that wait TailFactor times as long.
	TailShare, TailFactor float64
	// ServiceTime is how long the site then works on the answer.
	ServiceTime time.Duration
	// Concurrency is how many answers are worked on at once; other requests queue. 0 is unlimited.
	Concurrency int
	// RatePerConn limits the body bytes a second on each connection; 0 is unlimited.
	RatePerConn float64
	// MaxConns is how many connections [Site.Serve] serves at once; 0 is unlimited.
	MaxConns int

	// ErrorRate is the share of requests for pages and blobs, from 0 to 1, that fail. Whether the k-th request for a URL
	// is among them follows from Seed.
	ErrorRate float64
	// Faults is the ways in which they fail; nil means [DefaultFaults].
	Faults []Fault
	// Seed changes the pages' words and links, the blobs' bytes, the jitter, the tail and the errors.
	Seed uint64

	// Robots is the content of robots.txt; empty allows all but Disallow, and names the sitemap.
	Robots string
	// Disallow is the paths that the default robots.txt forbids.
	Disallow []string
	// CrawlDelay is the delay that it asks for; 0 is none.
	CrawlDelay time.Duration
	// SitemapURLs is the most URLs in one sitemap; 0 means 50,000, the most that the protocol allows.
	SitemapURLs int

	// OnRequest is called with each request as it arrives, before any wait, on that request's goroutine; nil for none.
	OnRequest func(*http.Request)
	// OnAnswer is called when a request is done with, on its goroutine; nil for none. See [AccessLog].
	OnAnswer func(Access)
}

// The defaults of [Options].
const (
	DefaultPages    = 1000
	DefaultLinks    = 20
	DefaultPageSize = 16 << 10
)

func (o Options) withDefaults() Options {
	if o.Pages <= 0 {
		o.Pages = DefaultPages
	}
	if o.Links <= 0 {
		o.Links = DefaultLinks
	}
	if o.PageSize <= 0 {
		o.PageSize = DefaultPageSize
	}
	if o.Faults == nil {
		o.Faults = DefaultFaults()
	}
	if o.SitemapURLs <= 0 || o.SitemapURLs > maxSitemapURLs {
		o.SitemapURLs = maxSitemapURLs
	}
	return o
}

// MaxLinks is how many links a page may have.
const MaxLinks = 10_000

// Check returns an error if Depth takes pages with more than [MaxLinks] links.
func (o Options) Check() error {
	o = o.withDefaults()
	if n := o.fanOut(); o.Depth > 0 && n > MaxLinks {
		return fmt.Errorf("%d pages within %d links of / take pages with %d links, and they have at most %d",
			o.Pages, o.Depth, n, MaxLinks)
	}
	return nil
}

// fanOut returns how many pages each page leads to that no other page needs to link to.
func (o Options) fanOut() int {
	least, most := min((o.Links+1)/2, o.Pages), o.Pages
	if o.Depth <= 0 {
		return least
	}
	for least < most {
		middle := least + (most-least)/2
		if treeSize(middle, o.Depth, o.Pages) < o.Pages {
			least = middle + 1
		} else {
			most = middle
		}
	}
	return least
}

// treeSize returns how many nodes a tree of that fan-out and depth has, or enough if that is less.
func treeSize(fanOut, depth, enough int) int {
	if fanOut == 1 {
		return min(depth+1, enough)
	}
	level, size := 1, 1
	for range depth { // it doubles, or more
		if level >= enough/fanOut+1 {
			return enough
		}
		level *= fanOut
		if size += level; size >= enough {
			return enough
		}
	}
	return size
}

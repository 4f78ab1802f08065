// Package site is a synthetic web site with chosen size, latency, speed and faults: what `pace serve` serves and what
// tests crawl. Whatever it answers follows from its options and the request alone, so two runs meet the same site.
//
//	/  and  /p/N        pages that link to each other; all of them are reachable from /
//	/wait/DURATION      answers after that long, whatever the query
//	/blob/SIZE          SIZE bytes, with Range, ETag and If-Range
//	/status/CODE        that status; ?retry-after= sets the header
//	/redirect/N         N redirects, then a page
//	/robots.txt         allows all unless told otherwise
//	/sitemap.xml        all pages
//
// Every host name has the same content.
package site

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"pace/limiter"
)

// Options says what the site is like. The zero value of each field is its default.
type Options struct {
	// Pages is how many pages there are: / and /p/1 to /p/(Pages-1); 0 means [DefaultPages].
	Pages int
	// Links is how many links a page has, as far as its size has room; 0 means [DefaultLinks]. Half of them, rounded up,
	// lead to pages that no other page needs to link to, so a page is log(Pages)/log(Links/2) links away from /.
	Links int
	// PageSize is the length of each page in bytes, unless its links need more; 0 means [DefaultPageSize].
	PageSize int

	// Latency is how long a page or blob waits before it answers.
	Latency time.Duration
	// Jitter is by how much that time differs between URLs, either way. A URL always waits equally long.
	Jitter time.Duration
	// RatePerConn limits the body bytes a second on each connection; 0 is unlimited.
	RatePerConn float64
	// ErrorRate is the share of requests for pages and blobs, from 0 to 1, that are answered with status 500, 502, 503
	// or 504. Whether the k-th request for a URL is among them follows from Seed.
	ErrorRate float64
	// Seed changes the pages' words and links, the blobs' bytes, the jitter and the errors.
	Seed uint64

	// Robots is the content of robots.txt; empty allows all and names the sitemap.
	Robots string
	// OnRequest is called with each request as it arrives, before any wait, on that request's goroutine; nil for none.
	OnRequest func(*http.Request)
}

// The defaults of [Options].
const (
	DefaultPages    = 1000
	DefaultLinks    = 20
	DefaultPageSize = 16 << 10
)

// Site answers requests. It comes from [New] and is safe for use by many goroutines.
type Site struct {
	o      Options
	mux    *http.ServeMux
	words  string
	faults faults
	counts counts
}

// New returns the site that the options describe.
func New(o Options) *Site {
	if o.Pages <= 0 {
		o.Pages = DefaultPages
	}
	if o.Links <= 0 {
		o.Links = DefaultLinks
	}
	if o.PageSize <= 0 {
		o.PageSize = DefaultPageSize
	}
	s := &Site{o: o, mux: http.NewServeMux(), words: words(o.Seed), faults: newFaults(o)}
	s.mux.HandleFunc("GET /{$}", s.root)
	s.mux.HandleFunc("GET /p/{n}", s.page)
	s.mux.HandleFunc("GET /wait/{duration}", wait)
	s.mux.HandleFunc("GET /blob/{size}", s.blob)
	s.mux.HandleFunc("GET /status/{code}", status)
	s.mux.HandleFunc("GET /redirect/{n}", redirect)
	s.mux.HandleFunc("GET /robots.txt", s.robots)
	s.mux.HandleFunc("GET /{sitemap}", s.sitemap)
	return s
}

// Handler returns what answers the site's requests. Where it runs on a server other than [Site.Server]'s, RatePerConn
// limits each response instead of each connection, and connections are not counted.
func (s *Site) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Server returns a server of the site that is ready for Serve. Its Shutdown cuts responses that still wait.
func (s *Site) Server() *http.Server {
	ctx, cancel := context.WithCancel(context.Background())
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // its default is stderr
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         s.counts.connState,
	}
	if s.o.RatePerConn > 0 {
		srv.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, connRateKey{}, limiter.NewRate(s.o.RatePerConn))
		}
	}
	srv.RegisterOnShutdown(cancel)
	return srv
}

// serve counts a request, and has its path's handler answer it.
func (s *Site) serve(w http.ResponseWriter, r *http.Request) {
	e := exchange{ResponseWriter: w, end: s.counts.begin(r.Host)}
	defer e.end.done()
	if s.o.OnRequest != nil {
		s.o.OnRequest(r)
	}
	if s.o.RatePerConn > 0 {
		e.pace(r.Context(), s.o.RatePerConn)
	}
	s.mux.ServeHTTP(&e, r)
}

// sleep waits for d. If the client leaves or the server shuts down first, it ends the handler and the connection: an
// answer would say that the wait is over.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	}
}

// badRequest says what a path takes.
func badRequest(w http.ResponseWriter, takes ...string) {
	http.Error(w, strings.Join(takes, " "), http.StatusBadRequest)
}

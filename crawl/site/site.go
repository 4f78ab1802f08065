// Package site is a synthetic web site with chosen size, latency, speed and faults: what `pace serve` serves and what
// tests crawl. Whatever it answers follows from its options and the request alone, so two runs meet the same site.
//
//	/  and  /p/N        pages that link to each other; all of them are reachable from /
//	/wait/DURATION      answers after that long, whatever the query
//	/blob/SIZE          SIZE bytes, with Range, ETag and If-Range
//	/status/CODE        that status; ?retry-after= sets the header
//	/redirect/N         N redirects, then a page
//	/robots.txt         allows all unless told otherwise
//	/sitemap.xml        all pages, or an index of /sitemap-N.xml; each also with .gz at its end
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

// Site answers requests. It comes from [New] and is safe for use by many goroutines.
type Site struct {
	o       Options
	fanOut  int
	mux     *http.ServeMux
	words   string
	faults  faults
	working chan struct{} // has an element for each answer worked on; nil is no limit
	counts  counts
	running running
}

// New returns the site that the options describe.
func New(o Options) *Site {
	o = o.withDefaults()
	s := &Site{o: o, fanOut: o.fanOut(), mux: http.NewServeMux(), words: words(o.Seed), faults: newFaults(o)}
	if o.Concurrency > 0 {
		s.working = make(chan struct{}, o.Concurrency)
	}
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
// limits each response instead of each connection, connections are neither counted nor numbered, and one that is to be
// reset is only closed.
func (s *Site) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Server returns a server of the site that is ready for Serve. Its Shutdown cuts responses that still wait. MaxConns is
// for [Site.Serve] only.
func (s *Site) Server() *http.Server { return s.server(nil) }

func (s *Site) server(t *turns) *http.Server {
	ctx, cancel := context.WithCancelCause(context.Background())
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // its default is stderr
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState: func(c net.Conn, state http.ConnState) {
			s.counts.connState(state)
			t.connState(c, state)
		},
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, &connection{
				id: s.counts.numbered.Add(1), conn: c, turns: t, rate: limiter.NewRate(s.o.RatePerConn),
			})
		},
	}
	srv.RegisterOnShutdown(func() { cancel(errServerEnds) })
	return srv
}

// serve counts a request, has its path's handler answer it, and tells of it.
func (s *Site) serve(w http.ResponseWriter, r *http.Request) {
	s.running.enter()
	defer s.running.leave()
	e := exchange{ResponseWriter: w, site: s, end: s.counts.begin(r.Host), head: r.Method == http.MethodHead}
	e.connection, _ = r.Context().Value(connectionKey{}).(*connection)
	defer e.end.done()
	if s.o.OnAnswer != nil {
		begun := time.Now()
		defer func() { s.o.OnAnswer(e.answer(r, begun)) }()
	}
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

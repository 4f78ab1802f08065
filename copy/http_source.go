package copy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"pace/limiter/exchange"
)

// httpSource is one file at a URL. Every chunk is a request of its own, and each answer is held to be of the version that
// the first has named.
type httpSource struct {
	*run
	web   *web
	url   *url.URL // as the user has it
	shown string

	version version
	size    int64
	opened  int    // how often
	last    probed // what was found then

	plain    atomic.Bool // that it comes over http, though https was asked for, was said
	unsteady bool        // version is that of the first answer to the one request

	mu     sync.Mutex
	at     *url.URL // where its redirects lead; guarded by mu
	way    way      // guarded by mu
	single bool     // one request for all of it: nothing else can be trusted; guarded by mu
	known  bool     // that is all that has turned out: last still holds; guarded by mu
	gate   *gate
}

// gate lets one reader go first: how it fares may be of use to all others.
type gate struct {
	taken atomic.Bool
	once  sync.Once
	open  chan struct{}
}

// pass returns at once for the first, and for others when open is closed.
func (g *gate) pass(ctx context.Context) error {
	if g.taken.CompareAndSwap(false, true) {
		return nil
	}
	return await(ctx, g.open, 0)
}

func (g *gate) unlock() { g.once.Do(func() { close(g.open) }) }

// way is how a range is asked for.
type way int

const (
	byIfRange way = iota // only if the version is the one that is known
	byRange              // unconditionally, as some servers ignore a range with a condition: the answer must name the version
)

func newHTTPSource(w *web, u *url.URL, shown string) *httpSource {
	return &httpSource{run: w.run, web: w, url: u, shown: shown, size: -1}
}

// open asks for the file's header.
func (s *httpSource) open(ctx context.Context) (found, error) {
	s.opened++
	s.mu.Lock()
	s.at, s.way, s.gate = s.url, byIfRange, &gate{open: make(chan struct{})}
	// A file that changes all the time is whole at least within one answer, whichever version that has.
	s.unsteady = s.opened == maxRestarts+1
	s.single = s.single || s.unsteady
	known := s.known
	s.known = false
	s.mu.Unlock()
	if known {
		return s.found(s.last), nil
	}
	p, err := s.probe(ctx)
	for range 2 {
		if err != nil || !p.young || s.single {
			break
		}
		// Within this second the file may change and keep its time.
		if !pause(ctx, time.Second) {
			return found{}, context.Cause(ctx)
		}
		p, err = s.probe(ctx)
	}
	if err != nil {
		return found{}, s.cannot(err)
	}
	s.mu.Lock()
	s.at = p.at
	s.mu.Unlock()
	if s.unsteady {
		p.version, p.size = version{}, -1
	}
	s.version, s.size, s.last = p.version, p.size, p
	return s.found(p), nil
}

func (s *httpSource) found(p probed) found {
	// Without a version nobody could tell whether chunks are of one file, unless its digest is known.
	ranges := p.ranges && p.size > 0 && !s.single && (p.version.known() || s.Expect != nil)
	s.single = !ranges
	what := found{size: p.size, ranges: ranges, mode: s.newMode(), mtime: p.mtime, name: nameOf(p.at, p.header)}
	if what.mtime.IsZero() {
		what.mtime = time.Now()
	}
	if ranges {
		what.id = p.version.identityAt(s.url, p.size)
	}
	return what
}

// cannot says what could not be read.
func (s *httpSource) cannot(err error) error {
	// Go asks the system itself on Windows and on Apple's.
	distrusted := errors.As(err, new(x509.UnknownAuthorityError)) || errors.As(err, new(x509.SystemRootsError))
	if distrusted && runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		return fmt.Errorf("cannot read %s: %w; SSL_CERT_FILE names a file of other authorities", s.shown, err)
	}
	return fmt.Errorf("cannot read %s: %w", s.shown, err)
}

// unchanged has nothing to look at: every answer was held to be of one version.
func (s *httpSource) unchanged(context.Context) error { return nil }

func (s *httpSource) close() {}

// probed is what the first answers say.
type probed struct {
	at      *url.URL
	header  http.Header
	version version
	young   bool // its version will do in a second
	size    int64
	ranges  bool
	mtime   time.Time
}

// probe asks for the header, and for the first byte where that does not say all: servers answer HEAD in many ways.
func (s *httpSource) probe(ctx context.Context) (probed, error) {
	// After a change of what HEAD says, only what GET says counts.
	if s.opened == 1 {
		p, ok, err := s.probeHead(ctx)
		if ok || err != nil {
			return p, err
		}
	}
	a := ask{method: http.MethodGet, end: 1}
	if s.single {
		a.end = 0
	}
	got, err := s.insist(ctx, a)
	if err == nil && a.end > 0 && mayMindRange(got.StatusCode) {
		got.end(true)
		a.end = 0
		got, err = s.insist(ctx, a)
	}
	if err != nil {
		return probed{}, err
	}
	defer got.end(true)
	return s.ofGet(got)
}

// mayMindRange says whether a server may have refused a request because it was for a range: some do, and give the whole file.
func mayMindRange(code int) bool {
	switch code {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotAcceptable,
		http.StatusNotImplemented:
		return true
	}
	return false
}

// probeHead returns false if the server answers HEAD badly or not at all.
func (s *httpSource) probeHead(ctx context.Context) (probed, bool, error) {
	got, err := s.request(ctx, s.url, ask{method: http.MethodHead})
	switch {
	case ctx.Err() != nil && err != nil:
		return probed{}, false, context.Cause(ctx)
	case err != nil && (passing(err) && !errors.Is(err, syscall.ECONNREFUSED) || kindOf(err) == exchange.Malformed):
		return probed{}, false, nil
	case err != nil:
		return probed{}, false, err
	}
	defer got.end(true)
	p, ok := s.ofHead(got)
	return p, ok, nil
}

// insist asks until there is an answer that is not a passing trouble. What does not listen at first never will.
func (s *httpSource) insist(ctx context.Context, a ask) (*answer, error) {
	for n := 1; ; n++ {
		got, err := s.request(ctx, s.url, a)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				got.end(false)
			}
			return nil, context.Cause(ctx)
		case err != nil && (!passing(err) || s.opened == 1 && errors.Is(err, syscall.ECONNREFUSED)):
			return nil, err
		case err != nil:
		case busy(got.StatusCode):
			err = s.status(got)
			if !s.waitFor(got) {
				return nil, err
			}
			n--
			continue
		case broken(got.StatusCode):
			err = s.status(got)
			got.end(false)
		default:
			return got, nil
		}
		if err := s.web.retryLater(ctx, n, err); err != nil {
			return nil, err
		}
	}
}

// ofHead reads an answer to HEAD. It returns false if that does not say enough.
func (s *httpSource) ofHead(got *answer) (probed, bool) {
	ranges := got.Header.Get("Accept-Ranges")
	if got.StatusCode != http.StatusOK || got.ContentLength < 0 || ranges == "" {
		return probed{}, false
	}
	p, err := s.ofAnswer(got, got.ContentLength, strings.EqualFold(ranges, "bytes"))
	return p, err == nil && (p.version.known() || p.young)
}

// ofGet reads an answer to GET of the first byte.
func (s *httpSource) ofGet(got *answer) (probed, error) {
	switch got.StatusCode {
	case http.StatusOK:
		return s.ofAnswer(got, got.ContentLength, false)
	case http.StatusPartialContent:
		r, ok := parseContentRange(got.Header.Get("Content-Range"))
		return s.ofAnswer(got, r.size, ok && r.off == 0 && r.end == 1 && r.size > 0)
	case http.StatusRequestedRangeNotSatisfiable:
		if r, ok := parseContentRange(got.Header.Get("Content-Range")); ok && r.size == 0 {
			return s.ofAnswer(got, 0, false)
		}
		return s.ofAnswer(got, -1, false)
	}
	return probed{}, s.status(got)
}

func (s *httpSource) ofAnswer(got *answer, size int64, ranges bool) (probed, error) {
	coding, ofFile := codingOf(got.Header, got.at.Path)
	if coding != "" && !ofFile {
		return probed{}, fmt.Errorf("the server sends it in the content coding %s, which nobody has asked for", coding)
	}
	p := probed{at: got.at, header: got.Header, size: size, ranges: ranges && coding == ""}
	p.version, p.young = versionOf(got.Header, time.Now())
	if t, err := http.ParseTime(got.Header.Get("Last-Modified")); err == nil {
		p.mtime = t
	}
	return p, nil
}

func (s *httpSource) status(got *answer) error {
	err := &StatusError{URL: s.shown, Code: got.StatusCode, Status: got.Status}
	if busy(got.StatusCode) && exchange.RetryAfter(got.Header, time.Now()) > longestWait {
		return fmt.Errorf("%w, and asks to wait for more than an hour: try again later", err)
	}
	return err
}

// newMode is the mode of a file that has none where it comes from.
func (r *run) newMode() fs.FileMode { return 0o666 &^ r.umask }

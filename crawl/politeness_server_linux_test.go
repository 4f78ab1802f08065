package crawl

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	busyHost  = "h8.test" // answers 503 for a while
	delayHost = "h7.test" // asks for a Crawl-delay
	askDelay  = 250 * time.Millisecond

	politePages = 26 // linked from the first page of each host; fewer where a delay makes them slow
	slowPages   = 6
)

// politeSite is eight hosts, each on an address of its own, that note when requests come and how many are with them.
type politeSite struct {
	latency    time.Duration
	retryAfter time.Duration // what the busy host asks for, in whole seconds

	servers []*httptest.Server
	seeds   []string
	resolve map[string]netip.AddrPort

	mu       sync.Mutex
	arrivals map[string][]time.Time // by host: when the first byte of each request was read
	inFlight map[string]int
	peak     map[string]int
	refused  []time.Time // when the busy host said 503
	asked    map[string]int
	total    int
	seen     chan int // how many requests there were, if someone listens
}

func newPoliteSite(t *testing.T, latency, retryAfter time.Duration) *politeSite {
	s := &politeSite{
		latency: latency, retryAfter: retryAfter, resolve: map[string]netip.AddrPort{}, arrivals: map[string][]time.Time{},
		inFlight: map[string]int{}, peak: map[string]int{}, asked: map[string]int{}, seen: make(chan int, 10_000),
	}
	for i := range 8 {
		host := fmt.Sprintf("h%d.test", i+1)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:0", i+1))
		if err != nil {
			t.Fatal(err)
		}
		s.seeds = append(s.seeds, "http://"+host+"/")
		s.resolve[host+":80"] = netip.MustParseAddrPort(l.Addr().String())
		server := httptest.NewUnstartedServer(http.HandlerFunc(s.answer))
		_ = server.Listener.Close()
		server.Listener = stampingListener{l, func(at time.Time) { s.arrived(host, at) }}
		server.Start()
		s.servers = append(s.servers, server)
	}
	return s
}

func (s *politeSite) close() {
	for _, server := range s.servers {
		server.CloseClientConnections()
		server.Close()
	}
}

// waitFor returns when there have been so many requests.
func (s *politeSite) waitFor(t *testing.T, requests int) {
	t.Helper()
	for late := time.After(time.Minute); ; {
		select {
		case n := <-s.seen:
			if n >= requests {
				return
			}
		case <-late:
			t.Fatalf("there are no %d requests", requests)
		}
	}
}

func (s *politeSite) arrived(host string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals[host] = append(s.arrivals[host], at)
}

func (s *politeSite) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.total++
	s.seen <- s.total
	s.asked[r.Host+r.URL.Path]++
	first := s.asked[r.Host+r.URL.Path] == 1
	s.inFlight[r.Host]++
	s.peak[r.Host] = max(s.peak[r.Host], s.inFlight[r.Host])
	s.mu.Unlock()
	timer := time.NewTimer(s.latency)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done(): // the crawl was killed
	}
	s.mu.Lock()
	s.inFlight[r.Host]--
	push := r.Host == busyHost && first && (r.URL.Path == "/4" || r.URL.Path == "/12")
	if push {
		s.refused = append(s.refused, time.Now())
	}
	s.mu.Unlock()
	switch {
	case push:
		w.Header().Set("Retry-After", fmt.Sprint(int(s.retryAfter.Seconds())))
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/robots.txt":
		if r.Host == delayHost {
			_, _ = fmt.Fprintf(w, "User-agent: *\nCrawl-delay: %g\n", askDelay.Seconds())
		}
	case r.URL.Path == "/":
		linksTo(politePagesOf(r.Host))(w, r)
	case r.URL.Path == "/2" && first:
		w.WriteHeader(http.StatusInternalServerError)
	case r.URL.Path == "/3":
		var n int
		_, _ = fmt.Sscanf(r.Host, "h%d", &n)
		http.Redirect(w, r, fmt.Sprintf("http://h%d.test/from-%d", n%8+1, n), http.StatusFound)
	default:
		htmlPage("")(w, r)
	}
}

// politePagesOf returns how many pages the first page of a host links to.
func politePagesOf(host string) int {
	if host == delayHost {
		return slowPages
	}
	return politePages
}

// linksTo answers with links to /1 to /n.
func linksTo(n int) http.HandlerFunc {
	var hrefs []string
	for i := range n {
		hrefs = append(hrefs, fmt.Sprintf("/%d", i+1))
	}
	return links(hrefs...)
}

// stampingListener tells when the first byte of each request is read, whatever the server then does.
type stampingListener struct {
	net.Listener
	stamp func(at time.Time)
}

func (l stampingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &stampingConn{Conn: c, stamp: l.stamp}, nil
}

type stampingConn struct {
	net.Conn
	stamp    func(at time.Time)
	answered atomic.Bool // false until the first request is read, and from each one's first byte on to its answer
	begun    atomic.Bool
}

func (c *stampingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && (!c.begun.Swap(true) || c.answered.Swap(false)) {
		c.stamp(time.Now())
	}
	return n, err
}

// Write implements net.Conn. Nobody sends the next request before the whole answer is there, so what comes after any
// part of an answer begins one.
func (c *stampingConn) Write(p []byte) (int, error) {
	c.answered.Store(true)
	return c.Conn.Write(p)
}

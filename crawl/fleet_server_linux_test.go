package crawl

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fleetLatency is long enough for a second worker on a host to meet the first.
const fleetLatency = 20 * time.Millisecond

// fleetServers are hosts, each on an address of its own, that note when requests come and whose they are.
type fleetServers struct {
	resolve map[string]netip.AddrPort
	seeds   []string

	mu       sync.Mutex
	arrivals map[string][]time.Time // by host: when the first byte of each request was read
	busy     map[string][]string    // by host: the workers that have a request with it
	together []string               // each time when a second worker was on a host
	asked    map[string]int         // by page
}

func newFleetServers(t *testing.T, hosts, pages int) *fleetServers {
	t.Helper()
	s := &fleetServers{
		resolve: map[string]netip.AddrPort{}, arrivals: map[string][]time.Time{}, busy: map[string][]string{}, asked: map[string]int{},
	}
	first := linksTo(pages - 1)
	for i := range hosts {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:0", i+1))
		if err != nil {
			t.Fatal(err)
		}
		host := fmt.Sprintf("h%02d.test", i)
		s.resolve[host+":80"] = netip.MustParseAddrPort(l.Addr().String())
		s.seeds = append(s.seeds, "http://"+host+"/")
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			worker, _, _ := strings.Cut(r.UserAgent(), "/")
			defer s.enter(r.Host, r.URL.Path, worker)()
			time.Sleep(fleetLatency)
			switch r.URL.Path {
			case "/robots.txt":
				http.NotFound(w, r)
			case "/":
				first(w, r)
			default:
				htmlPage("")(w, r)
			}
		}))
		_ = server.Listener.Close()
		server.Listener = stampingListener{l, func(at time.Time) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.arrivals[host] = append(s.arrivals[host], at)
		}}
		server.Start()
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
	}
	return s
}

// enter notes a request of a worker, until the result is called.
func (s *fleetServers) enter(host, path, worker string) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[host+path]++
	for _, other := range s.busy[host] {
		if other != worker {
			s.together = append(s.together, fmt.Sprintf("%s and %s on %s at once", other, worker, host))
		}
	}
	s.busy[host] = append(s.busy[host], worker)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		busy := s.busy[host]
		i := slices.Index(busy, worker)
		s.busy[host] = slices.Delete(busy, i, i+1)
	}
}

// complaints are what the servers say of a crawl at a pace. Of requests that came too close, apart says whether they were
// surely not sent so.
func (s *fleetServers) complaints(delay time.Duration, apart func(host string, first, second time.Time) bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	complaints := slices.Clone(s.together)
	near, gaps := 0, 0
	for host, arrivals := range s.arrivals {
		slices.SortFunc(arrivals, time.Time.Compare) // those of two connections may be noted the other way round
		for i := 1; i < len(arrivals); i++ {
			gap := arrivals[i].Sub(arrivals[i-1])
			gaps++
			if gap < delay-time.Millisecond {
				near++
			}
			if gap < delay*9/10 && !apart(host, arrivals[i-1], arrivals[i]) {
				complaints = append(complaints, fmt.Sprintf("%s saw requests %v apart", host, gap))
			}
		}
	}
	if near*20 > gaps {
		complaints = append(complaints, fmt.Sprintf("%d of %d gaps are too short", near, gaps))
	}
	return complaints
}

// again returns how many requests were for a page that had been asked for before.
func (s *fleetServers) again() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for page, times := range s.asked {
		if !strings.HasSuffix(page, "/robots.txt") { // each worker reads it
			n += times - 1
		}
	}
	return n
}

package site

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestCountsByHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen atomic.Int64
		s := New(Options{Latency: time.Second, OnRequest: func(*http.Request) { seen.Add(1) }})
		var wg sync.WaitGroup
		for _, host := range []string{"a.test", "a.test", "b.test:8080"} {
			wg.Go(func() {
				r := httptest.NewRequest(http.MethodGet, "http://"+host+"/p/1", nil)
				s.Handler().ServeHTTP(httptest.NewRecorder(), r)
			})
		}
		synctest.Wait()
		if got, want := s.Stats(), (Stats{Requests: 3, InFlight: 3, InFlightPeak: 3}); got != want {
			t.Errorf("all, meanwhile: %+v", got)
		}
		wg.Wait()
		get(s, "/robots.txt")
		if got, want := s.Stats(), (Stats{Requests: 4, InFlightPeak: 3}); got != want {
			t.Errorf("all: %+v", got)
		}
		if got, want := s.HostStats("a.test"), (Stats{Requests: 2, InFlightPeak: 2}); got != want {
			t.Errorf("a.test: %+v", got)
		}
		if got, want := s.HostStats("b.test:8080"), (Stats{Requests: 1, InFlightPeak: 1}); got != want {
			t.Errorf("b.test: %+v", got)
		}
		if got := s.HostStats("b.test"); got != (Stats{}) {
			t.Errorf("a host without requests: %+v", got)
		}
		if n := seen.Load(); n != 4 {
			t.Errorf("OnRequest was called %d times", n)
		}
	})
}

// A client that waits for each response before it sends the next request is never seen with two in flight, even when
// the next goes over another connection.
func TestPeakDoesNotCountAnsweredRequests(t *testing.T) {
	s := New(Options{PageSize: 16 << 10})
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = s.Server()
	ts.Start()
	defer ts.Close()
	clients := [2]*http.Client{{Transport: &http.Transport{}}, {Transport: &http.Transport{}}}
	for i := range 1000 {
		for _, path := range []string{"/p/7", "/blob/70000", "/status/404"} {
			if _, err := fetch(t.Context(), clients[i%2], ts.URL+path); err != nil {
				t.Fatal(err)
			}
		}
	}
	if peak := s.Stats().InFlightPeak; peak != 1 {
		t.Errorf("%d in flight", peak)
	}
	if open, accepted := s.Connections(); open != 2 || accepted != 2 {
		t.Errorf("%d of %d connections open, want 2 of 2", open, accepted)
	}
	for _, c := range clients {
		c.CloseIdleConnections()
	}
}

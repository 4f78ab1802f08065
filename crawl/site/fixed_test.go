package site

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Latency: time.Minute}) // not applied
		for path, want := range map[string]time.Duration{
			"/wait/1s": time.Second, "/wait/1s?5": time.Second, "/wait/150ms?a=b&c": 150 * time.Millisecond,
			"/wait/0s": 0, "/wait/1m0.5s": 60500 * time.Millisecond, "/wait/24h": 24 * time.Hour,
		} {
			start := time.Now()
			resp := get(s, path)
			if got := time.Since(start); got != want || resp.StatusCode != http.StatusOK {
				t.Errorf("%s took %v: %s", path, got, resp.Status)
			}
		}
		for _, path := range []string{"/wait/1", "/wait/-1s", "/wait/x", "/wait/25h", "/wait/9999999999h", "/wait/1s1"} {
			start := time.Now()
			if resp := get(s, path); resp.StatusCode != http.StatusBadRequest || time.Since(start) != 0 {
				t.Errorf("%s: %s after %v", path, resp.Status, time.Since(start))
			}
		}
	})
}

func TestCancelledWaitAnswersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Latency: time.Hour})
		for _, path := range []string{"/wait/1h", "/p/1", "/blob/10"} {
			start, w := time.Now(), httptest.NewRecorder()
			func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				defer func() {
					if e := recover(); e != http.ErrAbortHandler {
						t.Errorf("%s: %v", path, e)
					}
				}()
				s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
			}()
			if got := time.Since(start); got != time.Second || w.Body.Len() > 0 {
				t.Errorf("%s ended after %v with %q", path, got, w.Body)
			}
		}
		if n := s.Stats().InFlight; n != 0 {
			t.Errorf("%d in flight", n)
		}
	})
}

func TestStatus(t *testing.T) {
	s := New(Options{})
	for _, c := range []struct {
		path   string
		status int
		after  string
	}{
		{"/status/200", 200, ""},
		{"/status/204", 204, ""},
		{"/status/304", 304, ""},
		{"/status/404", 404, ""},
		{"/status/429?retry-after=7", 429, "7"},
		{"/status/503?retry-after=Fri,+31+Dec+1999+23:59:59+GMT", 503, "Fri, 31 Dec 1999 23:59:59 GMT"},
		{"/status/503?retry-after=soon", 400, ""},
		{"/status/503?retry-after=-1", 400, ""},
		{"/status/599", 599, ""},
		{"/status/600", 400, ""},
		{"/status/100", 400, ""},
		{"/status/-1", 400, ""},
		{"/status/ok", 400, ""},
	} {
		resp := get(s, c.path)
		if resp.StatusCode != c.status || resp.Header.Get("Retry-After") != c.after {
			t.Errorf("%s: %d, Retry-After %q", c.path, resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
}

func TestRedirect(t *testing.T) {
	s, path := New(Options{}), "/redirect/12"
	for n := 11; n >= 0; n-- {
		resp := get(s, path)
		if resp.StatusCode != http.StatusFound {
			t.Fatalf("%s: %s", path, resp.Status)
		}
		if path = resp.Header.Get("Location"); path != "/redirect/"+strconv.Itoa(n) {
			t.Fatalf("redirected to %s", path)
		}
	}
	if resp := get(s, path); resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", path, resp.Status)
	}
	for _, bad := range []string{"/redirect/-1", "/redirect/x", "/redirect/1000001"} {
		if resp := get(s, bad); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", bad, resp.Status)
		}
	}
}

func TestRobots(t *testing.T) {
	if b := body(t, get(New(Options{}), "http://a.test/robots.txt")); !strings.Contains(b, "\nDisallow:\n") ||
		!strings.Contains(b, "\nSitemap: http://a.test/sitemap.xml\n") {
		t.Errorf("%q", b)
	}
	const own = "User-agent: *\nDisallow: /p/3\n"
	if b := body(t, get(New(Options{Robots: own}), "/robots.txt")); b != own {
		t.Errorf("%q", b)
	}
}

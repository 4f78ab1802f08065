package site

import (
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestParseFaults(t *testing.T) {
	for text, want := range map[string][]Fault{
		"cut":           {{Cut: true, Weight: 1}},
		"reset:0.5":     {{Weight: 0.5}},
		"429:2,404":     {{Status: 429, Weight: 2}, {Status: 404, Weight: 1}},
		"status:4":      {{Status: 500, Weight: 1}, {Status: 502, Weight: 1}, {Status: 503, Weight: 1}, {Status: 504, Weight: 1}},
		"reset:1,cut:3": {{Weight: 1}, {Cut: true, Weight: 3}},
	} {
		if got, err := ParseFaults(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", ",", "cut,", "cut:", "cut:0", "cut:-1", "cut:NaN", "cut:Inf", "cut:x", "cut:1:1", "399", "600", "0500", "+500", "200", "stall",
	} {
		if got, err := ParseFaults(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// outcome asks for a path on a connection of its own, and returns what became of that: a status, "reset", "cut", or
// "closed" without an answer.
func outcome(t *testing.T, address, method, path string) (what string, body []byte) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	req, err := http.NewRequestWithContext(t.Context(), method, address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return "reset", nil
	case errors.Is(err, io.EOF):
		return "closed", nil
	case err != nil:
		t.Fatalf("%s: %v", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
			t.Errorf("%s: a cut body of status %d", path, resp.StatusCode)
		}
		return "cut", body
	case err != nil:
		t.Fatalf("%s: %v", path, err)
	}
	return strconv.Itoa(resp.StatusCode), body
}

// newServer serves a site on the loopback.
func newServer(t *testing.T, s *Site) (address string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = s.Server()
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func TestBrokenAnswers(t *testing.T) {
	o := Options{Pages: 400, Links: 2, PageSize: 20_000, ErrorRate: 0.5, Faults: parseFaults(t, "404:2,cut,reset"), Seed: 3}
	seen := func() (outcomes []string) {
		s := New(o)
		address, whole := newServer(t, s), New(Options{Pages: o.Pages, Links: o.Links, PageSize: o.PageSize, Seed: o.Seed})
		for n := 1; n < o.Pages; n++ {
			path := "/p/" + strconv.Itoa(n)
			what, content := outcome(t, address, http.MethodGet, path)
			if what == "cut" || what == "200" {
				if want := body(t, get(whole, path)); !strings.HasPrefix(want, string(content)) || (len(want) == len(content)) == (what == "cut") {
					t.Errorf("%s: %s after %d bytes of %d, or other bytes", path, what, len(content), len(want))
				}
				what += " " + strconv.Itoa(len(content))
			}
			outcomes = append(outcomes, what)
		}
		return outcomes
	}
	outcomes := seen()
	if again := seen(); !slices.Equal(outcomes, again) {
		t.Error("another site with the same seed breaks other answers, or elsewhere")
	}
	count := map[string]int{}
	var cuts []float64
	for _, what := range outcomes {
		kind, size, _ := strings.Cut(what, " ")
		count[kind]++
		if n, err := strconv.Atoi(size); kind == "cut" && err == nil {
			cuts = append(cuts, float64(n))
		}
	}
	// Each within four standard deviations of its share.
	n := float64(len(outcomes))
	for what, share := range map[string]float64{"200": 0.5, "404": 0.25, "cut": 0.125, "reset": 0.125} {
		if off := float64(count[what]) - share*n; math.Abs(off) > 4*math.Sqrt(share*(1-share)*n) {
			t.Errorf("%s: %d of %v, want %v of them", what, count[what], n, share)
		}
	}
	if len(count) != 4 {
		t.Errorf("outcomes: %v", count)
	}
	slices.Sort(cuts)
	if least, most := cuts[0], cuts[len(cuts)-1]; least > 6000 || most < 14_000 {
		t.Errorf("bodies of 20,000 bytes are cut after %v to %v only", least, most)
	}
}

// What has no body cannot be cut: its connection ends instead, so that a request that is to fail fails.
func TestCutWithoutBody(t *testing.T) {
	address := newServer(t, New(Options{ErrorRate: 1, Faults: parseFaults(t, "cut")}))
	for _, c := range []struct{ method, path string }{{"HEAD", "/p/1"}, {"HEAD", "/blob/1MiB"}, {"GET", "/blob/0"}} {
		if what, _ := outcome(t, address, c.method, c.path); what != "closed" {
			t.Errorf("%s %s: %s", c.method, c.path, what)
		}
	}
	for path, whole := range map[string]int{"/": DefaultPageSize, "/p/999": DefaultPageSize, "/blob/3": 3, "/blob/10MiB": 10 << 20} {
		if what, body := outcome(t, address, http.MethodGet, path); what != "cut" || len(body) >= whole {
			t.Errorf("%s: %s, %d bytes", path, what, len(body))
		}
	}
}

// A site on another's server, or on connections that are not TCP's, breaks them as well as it can.
func TestResetWithoutConnection(t *testing.T) {
	s := New(Options{ErrorRate: 1, Faults: parseFaults(t, "reset")})
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	if what, _ := outcome(t, server.URL, http.MethodGet, "/p/1"); what != "closed" {
		t.Error(what)
	}
	b := newBubble(t, s.Server())
	defer func() { _ = b.srv.Close() }()
	if _, err := fetch(t.Context(), b.client(t), "http://site/p/1"); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestCutAtARate(t *testing.T) {
	s := New(Options{RatePerConn: 1e6, ErrorRate: 1, Faults: parseFaults(t, "cut"), Seed: 4})
	address := newServer(t, s)
	free := newServer(t, New(Options{ErrorRate: 1, Faults: parseFaults(t, "cut"), Seed: 4}))
	what, slow := outcome(t, address, http.MethodGet, "/blob/200kB")
	_, fast := outcome(t, free, http.MethodGet, "/blob/200kB")
	if what != "cut" || string(slow) != string(fast) || len(slow) == 0 {
		t.Errorf("%s: %d bytes at a rate, %d without", what, len(slow), len(fast))
	}
}

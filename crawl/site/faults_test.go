package site

import (
	"math"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// took returns how long a path takes, inside a bubble.
func took(s *Site, path string) time.Duration {
	start := time.Now()
	get(s, path)
	return time.Since(start)
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Latency: 50 * time.Millisecond})
		for path, want := range map[string]time.Duration{
			"/": 50 * time.Millisecond, "/p/3": 50 * time.Millisecond, "/blob/10": 50 * time.Millisecond,
			"/wait/1s": time.Second, "/status/200": 0, "/redirect/1": 0, "/robots.txt": 0, "/p/1000": 0,
		} {
			if got := took(s, path); got != want {
				t.Errorf("%s took %v, want %v", path, got, want)
			}
		}
	})
}

func TestJitterIsOfTheURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pages, latency, jitter = 400, 100 * time.Millisecond, 30 * time.Millisecond
		s := New(Options{Pages: pages, Latency: latency, Jitter: jitter})
		least, most, sum := time.Hour, time.Duration(0), time.Duration(0)
		for n := 1; n < pages; n++ {
			path := "/p/" + strconv.Itoa(n)
			d := took(s, path)
			if again := took(s, path); again != d {
				t.Fatalf("%s took %v, then %v", path, d, again)
			}
			least, most, sum = min(least, d), max(most, d), sum+d
		}
		if least < latency-jitter || least > latency-jitter*9/10 || most > latency+jitter || most < latency+jitter*9/10 {
			t.Errorf("from %v to %v, want all of %v ± %v", least, most, latency, jitter)
		}
		// The mean of 399 even deviations has a standard deviation of jitter/√3/√399, which is 0.9 ms.
		if mean := sum / (pages - 1); (mean - latency).Abs() > 4*time.Millisecond {
			t.Errorf("mean %v, want %v", mean, latency)
		}
	})
}

func parseFaults(t *testing.T, text string) []Fault {
	t.Helper()
	faults, err := ParseFaults(text)
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

func TestErrorRate(t *testing.T) {
	o := Options{Pages: 2000, Links: 2, ErrorRate: 0.2, Seed: 7, Faults: parseFaults(t, "status")}
	outcomes := func() (codes []int) {
		s := New(o)
		for range 3 { // as retries would
			for n := 1; n < o.Pages; n++ {
				codes = append(codes, get(s, "/p/"+strconv.Itoa(n)).StatusCode)
			}
		}
		return codes
	}
	codes, again := outcomes(), outcomes()
	count := map[int]int{}
	for i, code := range codes {
		count[code]++
		if again[i] != code {
			t.Fatalf("request %d was answered with %d, then %d", i, code, again[i])
		}
	}
	failed := 0
	for _, code := range []int{500, 502, 503, 504} {
		failed += count[code]
		if count[code] == 0 {
			t.Errorf("no %d", code)
		}
	}
	n := float64(len(codes))
	if failed+count[http.StatusOK] != len(codes) || math.Abs(float64(failed)-0.2*n) > 4*math.Sqrt(0.2*0.8*n) {
		t.Errorf("%d of %d failed, want a fifth: %v", failed, len(codes), count)
	}
	// A retry is decided anew: a page that failed once fails again as seldom as others.
	first, both := 0, 0
	for i := range o.Pages - 1 {
		if codes[i] != http.StatusOK {
			first++
			if codes[i+o.Pages-1] != http.StatusOK {
				both++
			}
		}
	}
	if both == 0 || both > first/2 {
		t.Errorf("%d of %d failed again", both, first)
	}
}

func TestErrorRateOne(t *testing.T) {
	s := New(Options{ErrorRate: 1, Faults: parseFaults(t, "status")})
	for _, path := range []string{"/", "/p/1", "/blob/5", "/blob/5"} {
		if resp := get(s, path); resp.StatusCode < 500 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if resp := get(s, "/wait/0s"); resp.StatusCode != http.StatusOK {
		t.Errorf("/wait/0s: %d", resp.StatusCode)
	}
}

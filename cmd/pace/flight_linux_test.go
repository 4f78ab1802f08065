package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestManyInFlight has requests that are answered only when all of them have arrived: so many are in flight at once,
// however fast the machine is. The program's own report says how many threads and how much memory that took.
func TestManyInFlight(t *testing.T) {
	const perRequest = 64 << 10 // bytes of memory, in async mode
	for _, c := range []struct {
		mode                  string
		requests              int
		minThreads, atThreads int64
	}{
		{"threads", 1000, 1000, 1040},
		{"async", 8000, 1, 24},
	} {
		t.Run(c.mode, func(t *testing.T) {
			requests := c.requests
			if raceDetector && c.mode == "async" {
				requests = 2000 // with each goroutine of the server, of the most that it can follow
			}
			skipWithoutFiles(t, requests+100)
			one := fetchAtOnce(t, c.mode, 1)
			all := fetchAtOnce(t, c.mode, requests)
			each := (all.ResidentSetPeakBytes - one.ResidentSetPeakBytes) / int64(requests)
			t.Logf("%d requests in %.2f s on %d threads, %d bytes each", requests, all.WallSeconds, all.OSThreadsPeak, each)
			if all.Items != int64(requests) || all.ItemsFailed > 0 || all.InFlightPeak != int64(requests) {
				t.Errorf("%d items, %d failed, %d in flight; want %d, 0, %d: %v",
					all.Items, all.ItemsFailed, all.InFlightPeak, requests, requests, all.Errors)
			}
			if n := all.OSThreadsPeak; n < c.minThreads || n > c.atThreads {
				t.Errorf("%d threads, want %d to %d", n, c.minThreads, c.atThreads)
			}
			if c.mode == "async" && !raceDetector && each > perRequest {
				t.Errorf("%d bytes of memory a request", each)
			}
		})
	}
}

// skipWithoutFiles skips a test for which this process may not have enough files open. Its children inherit the limit.
func skipWithoutFiles(t *testing.T, n int) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Max < uint64(n) {
		t.Skipf("%d files may be open, and %d are needed: see ulimit -n; %v", limit.Max, n, err)
	}
}

// fetchAtOnce crawls so many URLs of a server that answers none before all have been asked for.
func fetchAtOnce(t *testing.T, mode string, requests int) (r report) {
	t.Helper()
	var asked atomic.Int64
	all := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == int64(requests) {
			close(all)
		}
		select {
		case <-all:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	input, reportPath := filepath.Join(dir, "urls"), filepath.Join(dir, "report.json")
	var urls strings.Builder
	for i := range requests {
		fmt.Fprintf(&urls, "%s/%d\n", server.URL, i)
	}
	if err := os.WriteFile(input, []byte(urls.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := paceCommand(t, "crawl", "--mode", mode, "--workers", fmt.Sprint(requests), "--depth", "0", "--rate", "0",
		"--per-host", "0", "--robots", "ignore", "--retries", "0", "--timeout", "2m", "--input", input,
		"--report", reportPath, "--output", os.DevNull, "--progress", "never")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=2") // more CPUs are more threads, whatever is in flight
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %.2000s", err, out)
	}
	text, err := os.ReadFile(reportPath)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

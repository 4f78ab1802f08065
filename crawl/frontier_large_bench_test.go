package crawl

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	largeURLs  = 500_000 // that BenchmarkFrontierLarge adds, if the environment does not say otherwise
	largeLinks = 40      // of a page
	largeHosts = 100_000
)

// BenchmarkFrontierLarge fills a state on disk and opens it again. PACE_FRONTIER_URLS=10000000 makes it as large as the
// promise: 80,000 adds a second, 512 MiB, and two seconds until the first page is handed out, after a clean end as well
// as after a kill, and with nothing of the state in memory. On two cores under a load of 7 to 12 it took 87,000 to 105,000
// adds, 448 to 461 MiB, 0.15 to 0.3 s after a clean end, 0.2 to 1.4 s after a kill, from memory or not.
func BenchmarkFrontierLarge(b *testing.B) {
	n := largeURLs
	if text := os.Getenv("PACE_FRONTIER_URLS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	for b.Loop() {
		dir := b.TempDir()
		b.ReportMetric(float64(n)/fillLarge(b, dir, n).Seconds(), "adds/s")
		reopenLarge(b, dir, n, "clean")
		killFill(b, dir, n/largeLinks, n/10/largeLinks)
		reopenLarge(b, dir, n+n/10, "killed")
		b.ReportMetric(residentPeak(b)/(1<<20), "MiB-peak")
	}
}

// fillLarge adds n URLs to a state, and returns how long that took.
func fillLarge(b *testing.B, dir string, n int) (spent time.Duration) {
	f, _ := benchFrontier(b, "disk", dir)
	for i := range n / largeLinks {
		c := benchPages(b, i, largeLinks, largeHosts)
		start := time.Now()
		if err := f.commit([]*change{c}, []byte("marks")); err != nil {
			b.Fatal(err)
		}
		spent += time.Since(start)
	}
	if err := f.close(); err != nil {
		b.Fatal(err)
	}
	return spent
}

// reopenLarge tells how long a state of at least that many URLs takes to open, as it lies in the kernel's memory and,
// where that can be had, with nothing of it there. Each time a copy is opened: an open state changes, if only by merges.
func reopenLarge(b *testing.B, dir string, urls int, after string) {
	for _, cache := range []string{"warm", "cold"} {
		state := filepath.Join(b.TempDir(), "copy")
		if err := os.CopyFS(state, os.DirFS(dir)); err != nil {
			b.Fatal(err)
		}
		if cache == "cold" && !forget(b, state) {
			return
		}
		start := time.Now()
		f, plan := benchFrontier(b, "disk", state)
		queued := plan.queued
		if _, err := f.next(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "s/open-"+after+"-"+cache)
		if queued < urls {
			b.Errorf("%d are queued, of %d", queued, urls)
		}
		if err := f.close(); err != nil {
			b.Fatal(err)
		}
		if err := os.RemoveAll(state); err != nil {
			b.Fatal(err)
		}
	}
}

// residentPeak returns the most memory that the process had, 0 where that is not to be known.
func residentPeak(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kib) * 1024
		}
	}
	return 0
}

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
	"pace/limiter/progress"
)

func TestUsableCPUs(t *testing.T) {
	for _, test := range []struct {
		mode          limiter.Mode
		workers, cpus int
		machine       float64
		want          float64
	}{
		{limiter.Sequential, 1, 1, 8, 1},
		{limiter.Threads, 4, 0, 8, 4},     // one a worker
		{limiter.Threads, 64, 0, 8, 8},    // but not more than there are
		{limiter.Async, 16, 1, 8, 1},      // one ring
		{limiter.Async, 16, 2, 8, 2},      // two rings
		{limiter.Async, 1, 2, 8, 1},       // the second has nothing to do
		{limiter.Async, 0, 0, 8, 1},       // a run that never got to its workers
		{limiter.Sequential, 8, 0, 8, 1},  // whatever the library says
		{limiter.Threads, 4, 0, 0.5, 0.5}, // half a CPU by quota
	} {
		got := usableCPUs(test.mode, outcome{workers: test.workers, cpus: test.cpus}, test.machine)
		if got != test.want {
			t.Errorf("%v, %d workers, backend uses %d of %v: U = %v, want %v",
				test.mode, test.workers, test.cpus, test.machine, got, test.want)
		}
	}
}

func TestBound(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		why           string
		cpu           time.Duration
		u             float64
		limiter, busy time.Duration
		wait          float64
		bound         bound
	}{
		{"five waits at once", s / 10, 2, 0, s, 0.95, boundIO},
		{"two cores busy", 2 * s, 2, 0, s, 0, boundCPU},
		{"one of two cores busy", s, 2, 0, s, 0.5, boundIO},
		{"a little more than one", s + s/10, 2, 0, s, 0.45, boundCPU},
		{"more CPU than there was time, by rounding", 3 * s, 2, 0, s, 0, boundCPU},
		{"a rate", s / 10, 1, 9 * s, 10 * s, 0.99, boundLimiter},
		{"a rate half of the time", 5 * s, 1, 5 * s, 10 * s, 0.5, boundIO},
		{"a rate, and a busy CPU in the rest", 4 * s, 1, 6 * s, 10 * s, 0.6, boundLimiter},
		{"nothing to do", s, 1, 0, 0, 0, boundCPU},
	} {
		wait := waitShare(test.cpu, test.u, test.busy)
		if diff := wait - test.wait; diff < -1e-9 || diff > 1e-9 {
			t.Errorf("%s: wait share %v, want %v", test.why, wait, test.wait)
		}
		if got := boundOf(wait, test.limiter, test.busy); got != test.bound {
			t.Errorf("%s: %s-bound, want %s", test.why, got, test.bound)
		}
	}
}

// measureJobs runs n jobs as the libraries do, and returns their report.
func measureJobs(t *testing.T, mode limiter.Mode, workers, n int, do func(context.Context, *progress.Counter) error) report {
	t.Helper()
	c := progress.New()
	m := startMeter()
	next := func(context.Context) (int, error) {
		if n == 0 {
			return 0, io.EOF
		}
		n--
		return n, nil
	}
	err := limiter.Each(t.Context(), mode, workers, next, func(ctx context.Context, _ int) error {
		defer c.ItemDone()
		return do(ctx, c)
	})
	if err != nil {
		t.Fatal(err)
	}
	o := outcome{backend: "test", workers: workers, totals: c.Totals()}
	return newReport("test", mode, o, m.stop(), usableByProcess())
}

// settled measures until the report is as it should be, and returns the last one if it never is: the garbage collector
// may work on the tests before this one, and other packages' tests may have the CPUs for a while.
func settled(measure func() report, good func(report) bool) report {
	var r report
	for range 20 {
		if r = measure(); good(r) {
			break
		}
	}
	return r
}

func TestKnownWorkIsBoundByWhatItIs(t *testing.T) {
	wait := func(_ context.Context, c *progress.Counter) error {
		defer c.Begin().End()
		time.Sleep(100 * time.Millisecond)
		return nil
	}
	for _, mode := range limiter.Modes {
		r := settled(func() report { return measureJobs(t, mode, 5, 5, wait) },
			func(r report) bool { return r.WaitShare > 0.9 })
		if r.Bound != boundIO || r.WaitShare <= 0.9 {
			t.Errorf("five waits in %v mode: %s-bound, wait share %.2f; want io, above 0.9", mode, r.Bound, r.WaitShare)
		}
		if r.Items != 5 || r.LatencyMS.P50 < 100 {
			t.Errorf("five waits in %v mode: %d items, p50 %.0f ms", mode, r.Items, r.LatencyMS.P50)
		}
	}

	text := make([]byte, 1<<20)
	hash := func(_ context.Context, c *progress.Counter) error {
		defer c.Begin().End()
		for range 8 {
			sha256.Sum256(text)
		}
		return nil
	}
	r := settled(func() report { return measureJobs(t, limiter.Sequential, 1, 10, hash) },
		func(r report) bool { return r.Bound == boundCPU })
	if r.Bound != boundCPU {
		t.Errorf("hashing in memory: %s-bound, wait share %.2f; want cpu", r.Bound, r.WaitShare)
	}

	rate := limiter.NewRate(100)
	limited := func(ctx context.Context, c *progress.Counter) error {
		w := c.BeginWait()
		err := rate.Wait(ctx, 1)
		w.End()
		defer c.Begin().End()
		return err
	}
	if r := measureJobs(t, limiter.Async, 4, 30, limited); r.Bound != boundLimiter {
		t.Errorf("30 operations at 100/s: %s-bound, limiter wait %.2f of %.2f s; want limiter",
			r.Bound, r.LimiterWaitSeconds, r.WallSeconds)
	}
}

func TestThreadsAreCounted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts threads that have ended too")
	}
	var all sync.WaitGroup // each job waits for all
	all.Add(20)
	block := func(_ context.Context, c *progress.Counter) error {
		defer c.Begin().End()
		all.Done()
		all.Wait()
		time.Sleep(50 * time.Millisecond)
		return nil
	}
	before := threadCount()
	r := measureJobs(t, limiter.Threads, 20, 20, block)
	if r.OSThreadsPeak < 20 || r.OSThreadsPeak > before+40 {
		t.Errorf("20 locked threads beside %d: peak %d", before, r.OSThreadsPeak)
	}
	if entries, _ := os.ReadDir("/proc/self/task"); int64(len(entries)) < threadCount()-5 {
		t.Errorf("/proc/self/task has %d entries, threadCount says %d", len(entries), threadCount())
	}
	if r.ResidentSetPeakBytes < 1<<20 || r.ResidentSetPeakBytes > 4<<30 {
		t.Errorf("resident set peak of %d bytes", r.ResidentSetPeakBytes)
	}
}

func TestReportFields(t *testing.T) {
	text, err := json.Marshal(newReport("copy", limiter.Async, outcome{}, measured{started: time.Now()}, 2))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	want := strings.Fields(`backend bound bytes bytes_per_second context_switches_involuntary
		context_switches_voluntary cpu_delay_seconds cpu_share cpu_system_seconds cpu_user_seconds errors in_flight_peak items items_failed
		items_per_second items_skipped latency_ms limiter_wait_seconds mode os_threads_peak rss_peak_bytes started tool
		wait_share wall_seconds warnings workers`)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if got := string(fields["errors"]); got != "[]" {
		t.Errorf("errors of a run without any: %s, want []", got)
	}
	if got := string(fields["latency_ms"]); got != `{"p50":0,"p90":0,"p99":0,"max":0}` {
		t.Errorf("latency_ms: %s", got)
	}
}

func TestWriteReport(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.json")
	for range 2 { // a new file, then one that exists
		if err := writeReport(path, nil, report{Tool: "copy"}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil || !json.Valid(text) || !bytes.HasSuffix(text, []byte("\n")) {
			t.Errorf("%s, %v", text, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%v beside the report", entries)
	}

	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err == nil {
		if err := writeReport(link, nil, report{Tool: "crawl"}); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link became %v, %v", info.Mode(), err)
		}
		if text, _ := os.ReadFile(path); !bytes.Contains(text, []byte("crawl")) {
			t.Error("the report did not go through the link")
		}
	}

	if err := writeReport(os.DevNull, nil, report{}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatal("the null device is no device any more")
	}

	var stdout bytes.Buffer
	if err := writeReport("-", &stdout, report{}); err != nil || !json.Valid(stdout.Bytes()) {
		t.Errorf("on stdout: %s, %v", stdout.String(), err)
	}
	if err := writeReport(filepath.Join(dir, "no", "report"), nil, report{}); err == nil {
		t.Error("a report in a folder that does not exist")
	}
}

func TestSampleAfter(t *testing.T) {
	samples := 0
	for at := time.Duration(0); at < 10*time.Second; at += sampleAfter(at) {
		samples++
	}
	if samples < 150 || samples > 250 {
		t.Errorf("%d samples in 10 s; each wakes a thread", samples)
	}
}

// A link whose check failed is no failed item, but the run's exit code says so: after a last 429 it is no broken link.
func TestFailedChecksFailTheRun(t *testing.T) {
	for failed, want := range map[int64]int{0: exitOK, 1: exitItemsFailed} {
		rep := newReport("crawl", limiter.Async, outcome{linksChecked: new(int64(2)), linksFailed: failed}, measured{started: time.Now()}, 2)
		if got := exitCode((&job{}).end(rep, nil)); got != want {
			t.Errorf("%d failed: exit code %d, want %d", failed, got, want)
		}
	}
}

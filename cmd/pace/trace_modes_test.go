//go:build unix

package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/crawl/site"
	"pace/limiter"
	"pace/limiter/progress"
)

// traceOf runs the program with --trace and returns what it wrote.
func traceOf(t *testing.T, args ...string) traceFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.jsonl")
	out, err := paceCommand(t, append([]string{args[0], "--trace", path}, args[1:]...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	got, err := readTrace(path, progress.TraceLimit)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestTracesOfTheModes does the same work in each mode: the operations are the same, and only who did them when differs.
func TestTracesOfTheModes(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), pattern(1<<20+1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(site.New(site.Options{Pages: 30, PageSize: 1000}).Handler())
	t.Cleanup(server.Close)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, work := range []struct {
		name       string
		args       func(mode string) []string
		operations int
		bytes      int64
	}{
		{"copy", func(mode string) []string {
			return []string{"copy", "--chunk-size", "64KiB", a, filepath.Join(dir, mode)}
		}, 17, 1<<20 + 1},
		{"verify", func(string) []string { return []string{"verify", "--chunk-size", "64KiB", a, b} }, 17, 1<<20 + 1},
		{"a list", func(mode string) []string {
			return []string{"verify", "--chunk-size", "64KiB", "--manifest", filepath.Join(t.TempDir(), mode), a}
		}, 17, 1<<20 + 1},
		{"crawl", func(string) []string {
			return []string{"crawl", "--rate", "0", "--timeout", "10m", "--output", os.DevNull, server.URL}
		}, 31, 0},
	} {
		t.Run(work.name, func(t *testing.T) {
			var first []string
			for _, mode := range modeNames() {
				args := work.args(mode)
				got := traceOf(t, append([]string{args[0], "--mode", mode, "--workers", "3"}, args[1:]...)...)
				checkWorkers(t, got)
				var all []string
				bytes := int64(0)
				for _, o := range got.operations {
					all = append(all, fmt.Sprintf("%s %s %d+%d", o.Kind, o.Item, o.Offset, o.Bytes))
					bytes += o.Bytes
				}
				slices.Sort(all)
				if first == nil {
					first = all
				}
				if d := cmp.Diff(first, all); d != "" {
					t.Errorf("%s (-%s +%s):\n%s", mode, modeNames()[0], mode, d)
				}
				if len(all) != work.operations || got.Operations != int64(work.operations) || work.bytes > 0 && bytes != work.bytes {
					t.Errorf("%s: %d operations of %d in the header, %d bytes; want %d, %d", mode, len(all), got.Operations, bytes,
						work.operations, work.bytes)
				}
			}
		})
	}
}

// checkWorkers checks who did the operations: nobody does two at once, and each has a thread where its mode gives it one.
func checkWorkers(t *testing.T, got traceFile) {
	t.Helper()
	until, threads := map[int]float64{}, map[int]int{}
	for _, o := range got.operations {
		if o.Worker == nil || *o.Worker >= got.Workers {
			t.Fatalf("%s: no such worker: %+v", got.Mode, o)
		}
		w := *o.Worker
		if o.Start < until[w] || o.End <= o.Start {
			t.Errorf("%s: worker %d is still busy until %v: %+v", got.Mode, w, until[w], o)
		}
		until[w] = o.End
		if was, ok := threads[w]; ok && was != o.Thread {
			t.Errorf("%s: worker %d moves from thread %d to %d", got.Mode, w, was, o.Thread)
		}
		threads[w] = o.Thread
	}
	own := map[int]bool{}
	for w, thread := range threads {
		if want := got.Mode != limiter.Async && runtime.GOOS == "linux"; want != (thread != 0) || want && own[thread] {
			t.Errorf("%s: worker %d has thread %d", got.Mode, w, thread)
		}
		own[thread] = true
	}
	if got.Mode == limiter.Sequential && len(threads) != 1 {
		t.Errorf("%d workers in sequential mode", len(threads))
	}
}

// TestTraceOfADownload has chunks of one file that many workers ask for: each request is its worker's own.
func TestTraceOfADownload(t *testing.T) {
	server := httptest.NewServer(site.New(site.Options{Latency: 5 * time.Millisecond}).Handler())
	t.Cleanup(server.Close)
	for _, mode := range modeNames() {
		got := traceOf(t, "copy", "--mode", mode, "--workers", "4", "--chunk-size", "64KiB", "--timeout", "10m",
			"--min-speed", "0", server.URL+"/blob/1048576", filepath.Join(t.TempDir(), "blob"))
		checkWorkers(t, got)
		bytes, workers := int64(0), map[int]bool{}
		for _, o := range got.operations {
			if o.Kind != "fetch" || o.Item != server.URL+"/blob/1048576" || o.Error != "" {
				t.Errorf("%s: %+v", mode, o)
			}
			bytes += o.Bytes
			workers[*o.Worker] = true
		}
		if want := map[string]int{"sequential": 1}[mode]; bytes < 1<<20 || want > 0 && len(workers) != want || want == 0 && len(workers) < 2 {
			t.Errorf("%s: %d bytes by %d workers", mode, bytes, len(workers))
		}
	}
}

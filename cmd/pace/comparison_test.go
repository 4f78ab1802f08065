package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

// runsOf returns runs of a mode with these wall seconds.
func runsOf(m limiter.Mode, b bound, wait float64, walls ...float64) []report {
	var runs []report
	workers := 5
	if m == limiter.Sequential {
		workers = 1
	}
	for _, wall := range walls {
		runs = append(runs, report{
			Mode: m, Workers: workers, WallSeconds: wall, CPUShare: 0.02, LimiterWaitSeconds: wall / 20,
			ContextSwitchesVoluntary: 52, ContextSwitchesInvoluntary: 3, ResidentSetPeakBytes: 22 << 20,
			LatencyMS: latencyMS{P50: 1.5, P90: 2, P99: 1002, Max: 1003}, Items: 5, ItemsPerSecond: 5 / wall, Bytes: 5 << 20,
			BytesPerSecond: (5 << 20) / wall, WaitShare: wait, OSThreadsPeak: 8, Bound: b,
		})
	}
	return runs
}

func compared3(sequential, threads, async []report) comparison {
	r := rounds{rows: settings(limiter.Modes, nil), runs: len(sequential)}
	return newComparison(compared{tool: "crawl"}, r, [][]report{sequential, threads, async})
}

func TestComparison(t *testing.T) {
	c := compared3(
		runsOf(limiter.Sequential, boundIO, 0.99, 5.2, 5.0, 5.1),
		runsOf(limiter.Threads, boundIO, 0.97, 1.00, 1.04),
		runsOf(limiter.Async, boundIO, 0.98, 1.02, 1.01, 1.03))
	if got, want := c.Modes[0].Speedup, (factor{1, 1, 1}); got != want {
		t.Errorf("speed-up of the first row: %v", got)
	}
	var table bytes.Buffer
	if err := c.print(&table); err != nil {
		t.Fatal(err)
	}
	want := `mode          workers         median  × sequential       95 %  pages/s
sequential          1  5.10 s ± 0.10          1.00                0.98
threads             5  1.02 s ± 0.03          5.00  4.81-5.20     4.90
async               5  1.02 s ± 0.01          5.00  4.85-5.15     4.90

mode          workers  CPU  wait  threads  switches  memory  p50 ms  p99 ms
sequential          1  2 %  99 %        8      52/3  22 MiB    1.50   1,002
threads             5  2 %  97 %        8      52/3  22 MiB    1.50   1,002
async               5  2 %  98 %        8      52/3  22 MiB    1.50   1,002

I/O-bound: in sequential mode the CPUs idle 99 % of the time, waiting. Use
threads with 5 workers: 5.00 times as fast as sequential; async differs from it
by noise only.
`
	if diff := cmp.Diff(want, table.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestVerdict(t *testing.T) {
	seq, thr, asy := limiter.Sequential, limiter.Threads, limiter.Async
	for _, test := range []struct {
		name  string
		c     comparison
		bound bound
		best  limiter.Mode
		want  string
	}{
		{"cpu", compared3(runsOf(seq, boundCPU, 0.1, 2, 2.1), runsOf(thr, boundCPU, 0, 1, 1.1), runsOf(asy, boundCPU, 0, 1.5, 1.6)),
			boundCPU, thr,
			"CPU-bound: in sequential mode the CPU is busy 90 % of the time, so overlapping waits gains little and only more " +
				"cores help. Use threads with 5 workers: 1.95 times as fast as sequential; async differs from it by noise only."},
		{"the first is the best", compared3(runsOf(seq, boundIO, 0.6, 1), runsOf(thr, boundIO, 0, 2), runsOf(asy, boundIO, 0, 4)),
			boundIO, seq,
			"I/O-bound: in sequential mode the CPUs idle 60 % of the time, waiting. Use sequential: 2.00 times as fast as threads."},
		{"no difference", compared3(runsOf(seq, boundCPU, 0, 1, 1.2), runsOf(thr, boundCPU, 0, 1.1, 1.3), runsOf(asy, boundCPU, 0, 0.9, 1.1)),
			boundCPU, asy,
			"CPU-bound: in sequential mode the CPU is busy 100 % of the time, so overlapping waits gains little and only more " +
				"cores help. There is no difference beyond the noise of the runs: use any."},
		{"a limit hides it", compared3(runsOf(seq, boundIO, 0.9, 3), runsOf(thr, boundLimiter, 1, 2.9), runsOf(asy, boundLimiter, 1, 2.9)),
			boundLimiter, thr,
			"Limiter-bound: in threads mode a rate limit or a delay takes 5 % of the time, and hides the difference between the modes. Raise " +
				"--rate, or set it to 0, to see it. There is no difference beyond the noise of the runs: use any."},
	} {
		v := test.c.Verdict
		if v.Bound != test.bound || v.Best != test.best {
			t.Errorf("%s: %s-bound, best %s; want %s, %s", test.name, v.Bound, v.Best, test.bound, test.best)
		}
		if diff := cmp.Diff(test.want, v.Text); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

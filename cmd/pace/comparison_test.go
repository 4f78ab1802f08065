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
	for _, wall := range walls {
		runs = append(runs, report{
			Mode: m, Workers: 5, WallSeconds: wall, Items: 5, ItemsPerSecond: 5 / wall, Bytes: 5 << 20,
			BytesPerSecond: (5 << 20) / wall, WaitShare: wait, OSThreadsPeak: 8, Bound: b,
		})
	}
	return runs
}

func compared3(sequential, threads, async []report) comparison {
	return newComparison(compared{tool: "crawl"}, limiter.Modes, map[limiter.Mode][]report{
		limiter.Sequential: sequential, limiter.Threads: threads, limiter.Async: async,
	})
}

func TestComparison(t *testing.T) {
	c := compared3(
		runsOf(limiter.Sequential, boundIO, 0.99, 5.2, 5.0, 5.1),
		runsOf(limiter.Threads, boundIO, 0.97, 1.00, 1.04),
		runsOf(limiter.Async, boundIO, 0.98, 1.02, 1.01, 1.03))
	if got, want := c.Modes[0].WallSeconds, (spread{Median: 5.1, Min: 5.0, Max: 5.2}); got != want {
		t.Errorf("spread of three: %v, want %v", got, want)
	}
	if got, want := c.Modes[1].WallSeconds, (spread{Median: 1.02, Min: 1.00, Max: 1.04}); got != want {
		t.Errorf("spread of two: %v, want %v", got, want)
	}
	if got := c.Modes[0].Speedup.Median; got != 1 {
		t.Errorf("speed-up of the first mode: %v", got)
	}
	var table bytes.Buffer
	if err := c.print(&table); err != nil {
		t.Fatal(err)
	}
	want := `mode          median  × sequential  pages/s  CPU  wait  threads
sequential    5.10 s          1.00     0.98  0 %  99 %        8
threads       1.02 s          5.00     4.90  0 %  97 %        8
async         1.02 s          5.00     4.90  0 %  98 %        8

I/O-bound: in sequential mode the CPUs idle 99 % of the time, waiting. Use
threads: 5.00 times as fast as sequential; async differs no more from it than
the runs do.
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
				"cores help. Use threads: 1.95 times as fast as sequential."},
		{"the first is the best", compared3(runsOf(seq, boundIO, 0.6, 1), runsOf(thr, boundIO, 0, 2), runsOf(asy, boundIO, 0, 4)),
			boundIO, seq,
			"I/O-bound: in sequential mode the CPUs idle 60 % of the time, waiting. Use sequential: 2.00 times as fast as threads."},
		{"no difference", compared3(runsOf(seq, boundCPU, 0, 1, 1.2), runsOf(thr, boundCPU, 0, 1.1, 1.3), runsOf(asy, boundCPU, 0, 0.9, 1.1)),
			boundCPU, asy,
			"CPU-bound: in sequential mode the CPU is busy 100 % of the time, so overlapping waits gains little and only more " +
				"cores help. The modes differ no more than their runs do: use any."},
		{"a limit hides it", compared3(runsOf(seq, boundIO, 0.9, 3), runsOf(thr, boundLimiter, 1, 2.9), runsOf(asy, boundLimiter, 1, 2.9)),
			boundLimiter, thr,
			"Limiter-bound: a rate limit or a delay takes most of the time, and hides the difference between the modes. Raise " +
				"--rate, or set it to 0, to see it."},
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

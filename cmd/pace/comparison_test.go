package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

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

// On a busy machine a run that computes waits for its turn, which looks like waiting for a disk.
func TestVerdictOnABusyMachine(t *testing.T) {
	for _, test := range []struct {
		mode        limiter.Mode
		wait, delay float64
		want        bound
		text        string
	}{
		{limiter.Sequential, 0.6, 0.5, boundCPU, "CPU-bound: in sequential mode the CPU is busy 40 % of the time, and kept by other programs for 50 %, so "},
		{limiter.Sequential, 0.6, 5, boundCPU, "CPU-bound: in sequential mode the CPU is busy 40 % of the time, and kept by other programs for 60 %, so "},
		{limiter.Sequential, 0.99, 0.9, boundIO, "I/O-bound: in sequential mode the CPUs idle 99 % of the time, waiting. "},
		{limiter.Async, 0.6, 0.5, boundIO, "I/O-bound: in async mode the CPUs idle 60 % of the time, waiting. "}, // of how many CPUs?
	} {
		runs := runsOf(test.mode, boundIO, test.wait, 1, 1, 1, 1)
		for i := range runs {
			runs[i].CPUDelaySeconds = test.delay
		}
		r := rounds{rows: settings([]limiter.Mode{test.mode}, nil), runs: len(runs)}
		v := newComparison(compared{tool: "verify"}, r, [][]report{runs}).Verdict
		if v.Bound != test.want || !strings.HasPrefix(v.Text, test.text) {
			t.Errorf("%v waiting, %v for the CPU: %s-bound, %s", test.wait, test.delay, v.Bound, v.Text)
		}
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

// sweep returns a comparison of async with these numbers of workers, each with its wall seconds.
func sweep(walls map[int][]float64, workers ...int) comparison {
	r := rounds{runs: len(walls[workers[0]])}
	var runs [][]report
	for _, n := range workers {
		one := runsOf(limiter.Async, boundIO, 0.9, walls[n]...)
		for i := range one {
			one[i].Workers = n
		}
		r.rows = append(r.rows, setting{limiter.Async, strconv.Itoa(n)})
		runs = append(runs, one)
	}
	return newComparison(compared{tool: "copy"}, r, runs)
}

func TestSweep(t *testing.T) {
	c := sweep(map[int][]float64{
		1: {8, 8.1, 8.2, 8.3, 8.4}, 4: {2, 2.1, 2.2, 2.3, 2.4}, 8: {1, 1.01, 1.02, 1.03, 1.04}, 16: {0.99, 1, 1.01, 1.04, 1.05},
	}, 1, 4, 8, 16)
	if c.Verdict.Best != limiter.Async || c.Verdict.Workers != 8 {
		t.Errorf("use %s with %d workers; 16 are no faster than 8", c.Verdict.Best, c.Verdict.Workers)
	}
	const want = "Use async with 8 workers: 8.04 times as fast as async with 1 worker; async with 16 workers differs from it by noise only."
	if !strings.HasSuffix(c.Verdict.Text, want) {
		t.Errorf("%s\nwant %s", c.Verdict.Text, want)
	}
	if c.Modes[0].Differs || !c.Modes[1].Differs || c.Modes[3].PValue > 0.01 || c.Modes[3].WorkersGiven != "16" {
		t.Errorf("%+v", c.Modes)
	}
}

func TestIdenticalRows(t *testing.T) {
	r := rounds{rows: settings([]limiter.Mode{limiter.Async, limiter.Async}, nil), runs: 5}
	for _, test := range []struct {
		second []float64
		want   string
	}{
		{[]float64{1.02, 1, 1.2, 1.1, 1.01}, "There is no difference beyond the noise of the runs: use any."},
		{[]float64{2.02, 2, 2.2, 2.1, 2.01}, "Use async with 5 workers: 1.96 times as fast as async with 5 workers in row 2."},
	} {
		c := newComparison(compared{tool: "copy"}, r, [][]report{
			runsOf(limiter.Async, boundCPU, 0, 1, 1.01, 1.03, 1.05, 1.2), runsOf(limiter.Async, boundCPU, 0, test.second...),
		})
		if !strings.HasSuffix(c.Verdict.Text, test.want) {
			t.Errorf("%s\nwant %s", c.Verdict.Text, test.want)
		}
	}
}

func TestWorkersThatFindThemselves(t *testing.T) {
	r := rounds{rows: settings([]limiter.Mode{limiter.Sequential, limiter.Async}, []string{"auto"}), runs: 4}
	c := newComparison(compared{tool: "copy"}, r, [][]report{
		runsOf(limiter.Sequential, boundIO, 0.9, 4, 4, 4, 4), runsOf(limiter.Async, boundIO, 0.9, 1, 1, 1, 1),
	})
	if want := "Use async with auto (5) workers: 4.00 times as fast as sequential."; !strings.HasSuffix(c.Verdict.Text, want) {
		t.Errorf("%s\nwant %s", c.Verdict.Text, want)
	}
	if text := c.speedTable().text(); !strings.Contains(text, "auto (5)") {
		t.Error(text)
	}
}

func TestWarnings(t *testing.T) {
	steady := []float64{1, 1.01, 1.02, 1.03, 1.04}
	for _, test := range []struct {
		why    string
		tool   string
		flags  []string
		warmup int
		walls  []float64
		change func(*report)
		want   []string // how each warning begins
	}{
		{why: "all is well", tool: "copy", walls: steady},
		{why: "nothing to tell from chance", tool: "copy", walls: steady[:3]},
		{why: "a slow first run", tool: "copy", walls: []float64{9, 1, 1.01, 1.02, 1.03},
			want: []string{"the first run was much slower than the others in async (9.00 s, median 1.02 s): give --warmup, "}},
		{why: "the same after a warm-up", tool: "copy", warmup: 1, walls: []float64{9, 1, 1.01, 1.02, 1.03},
			want: []string{"the first run was much slower than the others in async (9.00 s, median 1.02 s): give more --warmup, "}},
		{why: "an outlier", tool: "copy", walls: []float64{1, 1.01, 9, 1.02, 1.03},
			want: []string{"some runs are far from the others in async (1 of 5; 1.00 s to 9.00 s): "}},
		{why: "an outlier by a hundredth", tool: "copy", walls: []float64{1, 1, 1, 1, 1.01}},
		{why: "too short", tool: "copy", walls: []float64{0.001, 0.001, 0.001, 0.001},
			want: []string{"a run in async takes less than 5 ms: "}},
		{why: "a rate", tool: "copy", flags: []string{"--rate=9MiB/s"}, walls: steady, change: limited,
			want: []string{"--rate 9MiB/s is kept to: "}},
		{why: "a rate that nothing waits for", tool: "copy", flags: []string{"--rate=9GiB/s"}, walls: steady},
		{why: "two limits", tool: "copy", flags: []string{"--rate=9MiB/s", "--iops=5/s"}, walls: steady, change: limited,
			want: []string{"--rate 9MiB/s and --iops 5/s is kept to: "}},
		{why: "the default of a crawl", tool: "crawl", walls: steady, change: limited,
			want: []string{"the crawl keeps to its default rate, --rate 2/s a host: "}},
		{why: "a rate given twice", tool: "crawl", flags: []string{"--rate=1/s", "--rate=9/s"}, walls: steady, change: limited,
			want: []string{"--rate 9/s is kept to: "}},
		{why: "a Crawl-delay", tool: "crawl", flags: []string{"--rate=0"}, walls: steady, change: limited,
			want: []string{"the server or its robots.txt asks for pauses: "}},
		{why: "one host", tool: "crawl", walls: steady, change: func(r *report) { r.InFlightPeak = 2 },
			want: []string{"--per-host 2 keeps most workers idle: "}},
		{why: "many hosts", tool: "crawl", walls: steady, change: func(r *report) { r.InFlightPeak = 4 }},
		{why: "one host, unlimited", tool: "crawl", flags: []string{"--per-host=0"}, walls: steady,
			change: func(r *report) { r.InFlightPeak = 2 }},
	} {
		runs := runsOf(limiter.Async, boundIO, 0.9, test.walls...)
		for i := range runs {
			if test.change != nil {
				test.change(&runs[i])
			}
		}
		r := rounds{rows: settings([]limiter.Mode{limiter.Async}, nil), runs: len(runs), warmup: test.warmup}
		got := newComparison(compared{tool: test.tool, flags: test.flags}, r, [][]report{runs}).Warnings
		if len(got) != len(test.want) {
			t.Errorf("%s: %q, want %q", test.why, got, test.want)
			continue
		}
		for i, text := range got {
			if !strings.HasPrefix(text, test.want[i]) {
				t.Errorf("%s: %q, want %q", test.why, text, test.want[i])
			}
		}
	}
}

func limited(r *report) { r.LimiterWaitSeconds = r.WallSeconds * 0.8 }

// The largest figures that a run may have still fit the width that terminals begin with, but for the very largest.
func TestTablesFit(t *testing.T) {
	c := compared3(
		runsOf(limiter.Sequential, boundIO, 0.99, 1234, 2345.6),
		runsOf(limiter.Threads, boundIO, 0.97, 3.4, 60.1),
		runsOf(limiter.Async, boundIO, 0.98, 30.2, 20.1))
	for i := range c.Modes {
		m := &c.Modes[i]
		m.ContextSwitchesVoluntary, m.ContextSwitchesInvoluntary = 1234567, 123456
		m.OSThreadsPeak, m.ResidentSetPeakBytes, m.LatencyMS.P99, m.LatencyMS.P50 = 1024, 999<<20, 30000, 12.25
		m.Workers, m.CPUShare, m.ItemsPerSecond = 100000, 1, 123456
	}
	var b bytes.Buffer
	if err := c.print(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestComparisonFields(t *testing.T) {
	text, err := json.Marshal(compared3(runsOf(limiter.Sequential, boundIO, 0.9, 2), runsOf(limiter.Threads, boundIO, 0.9, 1),
		runsOf(limiter.Async, boundIO, 0.9, 1)))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Modes []map[string]json.RawMessage
	}
	var top map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(text, &top), json.Unmarshal(text, &got)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		fields map[string]json.RawMessage
		want   string
	}{
		{top, "command machine modes other_cpu_share runs started tool verdict warmup warnings"},
		{got.Modes[0], `backend bound bytes_per_second context_switches_involuntary context_switches_voluntary cpu_delay_seconds cpu_share differs
			in_flight_peak items_per_second latency_ms limiter_wait_seconds mode os_threads_peak p_value rss_peak_bytes runs speedup
			wait_share wall_seconds workers`},
	} {
		names := slices.Sorted(maps.Keys(test.fields))
		if diff := cmp.Diff(strings.Fields(test.want), names); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
	}
	for name, want := range map[string]string{
		"wall_seconds": `{"median":2,"min":2,"max":2,"stddev":0}`, "speedup": `{"median":1,"low":1,"high":1}`,
		"latency_ms": `{"p50":1.5,"p90":2,"p99":1002,"max":1003}`, "mode": `"sequential"`,
	} {
		if text := string(got.Modes[0][name]); text != want {
			t.Errorf("%s: %s, want %s", name, text, want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	c := compared3(runsOf(limiter.Sequential, boundIO, 0.9, 2), runsOf(limiter.Threads, boundIO, 0.9, 1),
		runsOf(limiter.Async, boundIO, 0.9, 1))
	c.Command = []string{"crawl", "--select", "a=`b` | c", "http://127.0.0.1/<script>"}
	text := c.markdown()
	for _, want := range []string{
		"`` pace compare -- crawl --select 'a=`b` | c' 'http://127.0.0.1/<script>' ``\n",
		"| mode | workers | median | × sequential | 95 % | pages/s |\n|---|---:|---:|---:|---:|---:|\n" +
			"| sequential | 1 | 2.00 s | 1.00 |  | 2.50 |\n",
		"\n" + c.Verdict.Text + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if got, want := codeSpan("a `b` ``c``"), "``` a `b` ``c`` ```"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestFewRunsAreWarnedOf(t *testing.T) {
	for n, want := range map[int]bool{1: true, 3: true, 4: false} {
		runs := runsOf(limiter.Async, boundIO, 0.9, []float64{1, 1.01, 1.02, 1.03}[:n]...)
		r := rounds{rows: settings([]limiter.Mode{limiter.Async, limiter.Async}, nil), runs: n}
		got := newComparison(compared{tool: "copy"}, r, [][]report{runs, runs}).Warnings
		if warned := len(got) == 1 && strings.Contains(got[0], " of each row: too few for a test, so "); warned != want {
			t.Errorf("%d runs: %q", n, got)
		}
	}
}

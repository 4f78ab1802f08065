package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pace/limiter"
)

// asPace lets the runs of a comparison be the real program: this test binary runs main when it is called pace.
func asPace(t *testing.T) {
	was := os.Args[0]
	os.Args[0] = "pace"
	t.Cleanup(func() { os.Args[0] = was })
}

func TestDemo(t *testing.T) {
	asPace(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	var out, errs bytes.Buffer
	f := &demoFlags{std: streams{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}, size: demoSize{
		wait: 300 * time.Millisecond, pages: 10, latency: 50 * time.Millisecond,
		blob: 3 << 20, perConn: 64 << 20, file: 5 << 20, runs: 2,
	}, report: filepath.Join(t.TempDir(), "demo.json")}
	if err := f.demo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	for line := range strings.Lines(errs.String()) {
		if !strings.HasPrefix(line, "pace: warning: other programs used ") {
			t.Errorf("stderr: %s", line)
		}
	}
	var result demoResult
	text, err := os.ReadFile(f.report)
	if err == nil {
		err = json.Unmarshal(text, &result)
	}
	if err != nil || len(result.Comparisons) != 5 {
		t.Fatalf("%d comparisons, %v", len(result.Comparisons), err)
	}
	for i, c := range result.Comparisons {
		checkDemoPart(t, c, out.String())
		if waits := i < 2; waits && c.Modes[0].Bound != boundIO {
			t.Errorf("%s: %s-bound", c.Title, c.Modes[0].Bound)
		}
	}
	if first := result.Comparisons[0].Modes[0]; first.WallSeconds.Median < 1.5 {
		t.Errorf("five waits of 0.3 s, one after another, took %v s", first.WallSeconds.Median)
	}
	if !strings.HasPrefix(out.String(), "1. Five pages that take 300ms each\n\nmode ") ||
		!strings.Contains(out.String(), "\n\nI/O-bound: in sequential mode the CPUs idle ") {
		t.Error(out.String())
	}
}

// checkDemoPart holds what a part shows against the reports of its runs.
func checkDemoPart(t *testing.T, c comparison, shown string) {
	t.Helper()
	if len(c.Modes) != len(limiter.Modes) || c.Title == "" || c.Verdict.Text == "" {
		t.Errorf("%q: %d rows, verdict %q", c.Title, len(c.Modes), c.Verdict.Text)
	}
	for i, m := range c.Modes {
		if m.Mode != limiter.Modes[i] || len(m.Runs) != c.Runs {
			t.Errorf("%s: row %d is %s with %d runs", c.Title, i, m.Mode, len(m.Runs))
		}
		for _, r := range m.Runs {
			if r.ItemsFailed > 0 || r.Items == 0 || r.Mode != m.Mode || r.Tool != c.Tool {
				t.Errorf("%s: a run's report says %+v", c.Title, r)
			}
		}
		if got, want := m.WallSeconds.Median, median(walls(m.Runs)); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: median %v of runs whose median is %v", c.Title, got, want)
		}
	}
	if !strings.Contains(shown, c.speedTable()[1][2]) || !strings.Contains(shown, wrap(c.sentence(), helpWidth)) {
		t.Errorf("%s is not shown as it is reported", c.Title)
	}
}

func TestDemoSentence(t *testing.T) {
	seq, thr, asy := limiter.Sequential, limiter.Threads, limiter.Async
	for _, test := range []struct {
		c    comparison
		want string
	}{
		{compared3(runsOf(seq, boundIO, 0.99, 5), runsOf(thr, boundIO, 0.9, 1), runsOf(asy, boundIO, 0.9, 1.01)),
			"I/O-bound: in sequential mode the CPUs idle 99 % of the time; threads is 5 times as fast, async is 4.95 times as fast, and " +
				"the two do not differ beyond the noise."},
		{compared3(runsOf(seq, boundCPU, 0.1, 1), runsOf(thr, boundCPU, 0, 1.1), runsOf(asy, boundCPU, 0, 3)),
			"CPU-bound: in sequential mode the CPU is busy 90 % of the time; threads is no different, async is 3 times as slow."},
		{compared3(runsOf(seq, boundLimiter, 1, 1), runsOf(thr, boundLimiter, 1, 1), runsOf(asy, boundLimiter, 1, 1)),
			"Limiter-bound: a rate limit takes most of the time; threads is no different, async is no different."},
	} {
		if got := test.c.sentence(); got != test.want {
			t.Errorf("%s\nwant %s", got, test.want)
		}
	}
}

func TestDemoWithoutRoom(t *testing.T) {
	s := &stage{dir: t.TempDir(), demoSize: demoSize{file: 1 << 60}}
	err := s.checkRoom()
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "; set TMPDIR to a folder with more room") {
		t.Error(err)
	}
	s = &stage{dir: filepath.Join(s.dir, "missing"), demoSize: demoSize{file: 1}}
	if err := s.makeFiles(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "the demo needs 3 B in ") {
		t.Error(err)
	}
}

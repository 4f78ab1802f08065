package main

import (
	"fmt"
	"time"

	"pace/limiter"
	"pace/limiter/progress"
)

// nastyURL is what a page could be called whose author wants a report to run a script.
const nastyURL = `http://a.test/<script>document.title='ran'</script>?"onload='alert(1)"&x=</svg><img src=x onerror=alert(2)>`

// sampleTrace is of a run that keeps workers in flight, each operation of a length that repeats.
func sampleTrace(mode limiter.Mode, workers, operations int) traceFile {
	if mode == limiter.Sequential {
		workers = 1
	}
	t := traceFile{traceHeader: traceHeader{Tool: "crawl", Mode: mode, Workers: workers, Operations: int64(operations)}}
	free := make([]float64, workers)
	for i := range operations {
		w := i % workers
		took := 0.04 + 0.002*float64(i%11)
		o := tracedOperation{
			Start: free[w], End: free[w] + took, Worker: &w, Kind: "fetch", Item: fmt.Sprintf("http://a.test/%d", i), Bytes: 16384,
		}
		if i == 3 {
			o.Item, o.Error = nastyURL, `"<script>" is no answer`
		}
		free[w] = o.End
		t.operations, t.took = append(t.operations, o), append(t.took, took)
	}
	t.series = sampleSeries(t.operations)
	return t
}

// sampleSeries adds up operations in steps of 50 ms.
func sampleSeries(ops []tracedOperation) tracedSeries {
	s := tracedSeries{Step: 0.05}
	for _, o := range ops {
		s.End = max(s.End, o.End)
	}
	n := int(s.End/s.Step) + 1
	s.InFlight, s.Bytes, s.Operations = make([]float64, n), make([]float64, n), make([]float64, n)
	for _, o := range ops {
		for i := int(o.Start / s.Step); i < n && float64(i)*s.Step < o.End; i++ {
			share := (min(o.End, float64(i+1)*s.Step) - max(o.Start, float64(i)*s.Step)) / s.Step
			s.InFlight[i] += share
			s.Operations[i] += share / (o.End - o.Start)
			s.Bytes[i] += share / (o.End - o.Start) * float64(o.Bytes)
		}
	}
	return s
}

// sampleComparison is of a crawl of so many operations, of which one has a nasty URL. With a list, it is a sweep.
func sampleComparison(operations int, workers []string) comparison {
	rows := settings(limiter.Modes, workers)
	var runs [][]report
	var traces []traceFile
	for _, row := range rows {
		n := 8
		if row.workers != "" {
			_, _ = fmt.Sscan(row.workers, &n)
		}
		t := sampleTrace(row.mode, n, operations)
		wall := t.series.End
		all := runsOf(row.mode, boundIO, 0.95, wall, wall*1.02, wall*0.97, wall*1.05)
		for i := range all {
			all[i].Workers, all[i].CPUDelaySeconds = t.Workers, wall/5
			all[i].LatencyMS = latencyMS{P50: 50, P90: 58, P99: 60, Max: 61}
			all[i].ItemsPerSecond = float64(operations) / all[i].WallSeconds
		}
		runs, traces = append(runs, all), append(traces, t)
	}
	w := compared{tool: "crawl", command: []string{"crawl", "--rate", "0", nastyURL}}
	c := newComparison(w, rounds{rows: rows, runs: 4, warmup: 1}, runs)
	c.Machine = machine{
		OS: "linux", Arch: "amd64", Kernel: "6.1.0", CPUModel: "Some Processor <b>", Cores: 2, MemoryBytes: 8 << 30,
		PaceVersion: "v1", GoVersion: "go1.26",
	}
	c.Started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Format(time.RFC3339Nano)
	c.Warnings = append(c.Warnings, "a warning with <em>marks</em>")
	c.traces = traces
	return c
}

// sampleCopy is a comparison whose runs took no time that can be seen, and had no operation.
func sampleCopy() comparison {
	rows := settings(limiter.Modes, nil)
	var runs [][]report
	for _, row := range rows {
		runs = append(runs, []report{{Tool: "copy", Mode: row.mode, Workers: 1, Bound: boundCPU}})
	}
	c := newComparison(compared{title: "Nothing at all", tool: "copy", command: []string{"copy", "a", "b"}}, rounds{rows: rows, runs: 1}, runs)
	c.traces = make([]traceFile, len(rows))
	return c
}

// traceOfNothing is a trace as a run without operations writes it.
func traceOfNothing() *progress.Trace { return progress.New().Trace(1) }

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pace/crawl"
	"pace/limiter"
	"pace/limiter/progress"
)

// report is one run, as --report writes it. Units are in the names; fields are only added, never renamed.
type report struct {
	Tool    string       `json:"tool"`
	Mode    limiter.Mode `json:"mode"`
	Backend string       `json:"backend"`
	Workers int          `json:"workers"`
	// WorkersAuto is there with --workers auto. Workers is then the best number that was found, and WorkersSeries has all
	// those that there were, from the given second on.
	WorkersAuto   bool          `json:"workers_auto,omitzero"`
	WorkersSeries []workersStep `json:"workers_series,omitzero"`

	Started        string  `json:"started"` // RFC 3339
	WallSeconds    float64 `json:"wall_seconds"`
	Items          int64   `json:"items"`
	ItemsFailed    int64   `json:"items_failed"`
	ItemsSkipped   int64   `json:"items_skipped"`
	Warnings       int64   `json:"warnings"` // what a destination could not keep
	Bytes          int64   `json:"bytes"`
	BytesPerSecond float64 `json:"bytes_per_second"`
	ItemsPerSecond float64 `json:"items_per_second"`

	CPUUserSeconds   float64 `json:"cpu_user_seconds"`
	CPUSystemSeconds float64 `json:"cpu_system_seconds"`
	CPUShare         float64 `json:"cpu_share"`
	WaitShare        float64 `json:"wait_share"`
	// CPUDelaySeconds is for how long a thread was ready to run and had no CPU, of the one that waited longest: part of what
	// WaitShare takes for waiting. It is 0 where it is not known, as in threads mode, whose threads have left when they could
	// be asked.
	CPUDelaySeconds    float64 `json:"cpu_delay_seconds"`
	LimiterWaitSeconds float64 `json:"limiter_wait_seconds"`

	OSThreadsPeak              int64                `json:"os_threads_peak"`
	InFlightPeak               int64                `json:"in_flight_peak"`
	ContextSwitchesVoluntary   int64                `json:"context_switches_voluntary"`
	ContextSwitchesInvoluntary int64                `json:"context_switches_involuntary"`
	ResidentSetPeakBytes       int64                `json:"rss_peak_bytes"`
	LatencyMS                  latencyMS            `json:"latency_ms"`
	Bound                      bound                `json:"bound"`
	Errors                     []progress.ItemError `json:"errors"`

	// LinksChecked and BrokenLinks are there, be they zero and empty, if links were checked. Those checked are targets that
	// are no pages of the crawl, and no items.
	LinksChecked *int64             `json:"links_checked,omitzero"`
	BrokenLinks  []crawl.BrokenLink `json:"broken_links,omitzero"`

	linksFailed int64 // those of them that did; the errors name them

	failedElsewhere int64 // items of the same job

	toOutput bool
}

type workersStep struct {
	Seconds float64 `json:"seconds"`
	Workers int     `json:"workers"`
}

// latencyMS is the distribution of the time of one chunk or request, in milliseconds.
type latencyMS struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// outcome is what a library says of a run.
type outcome struct {
	backend string
	workers int
	steps   []limiter.Step // nil unless they were found meanwhile
	cpus    int            // how many CPUs the backend can use at once; 0 if only the machine bounds them
	totals  progress.Totals

	warnings     int64
	broken       []crawl.BrokenLink // nil unless links were checked, as is the next
	linksChecked *int64
	linksFailed  int64
	toOutput     bool // what was copied went to stdout

	failedElsewhere int64 // items of a fleet's job that other workers have reported
}

// newReport joins what the library counted with what the process used. machineCPUs is how many CPUs the process may use.
func newReport(tool string, mode limiter.Mode, o outcome, m measured, machineCPUs float64) report {
	t := o.totals
	wall, cpu := m.wall.Seconds(), m.user+m.system
	wait := waitShare(cpu, usableCPUs(mode, o, machineCPUs), t.Busy)
	r := report{
		Tool: tool, Mode: mode, Backend: o.backend, Workers: o.workers,
		Started:     m.started.Format(time.RFC3339Nano),
		WallSeconds: wall,
		Items:       t.Items, ItemsFailed: t.ItemsFailed, ItemsSkipped: t.ItemsSkipped, Warnings: o.warnings, Bytes: t.Bytes,
		BytesPerSecond:             perSecond(float64(t.Bytes), wall),
		ItemsPerSecond:             perSecond(float64(t.Items), wall),
		CPUUserSeconds:             m.user.Seconds(),
		CPUSystemSeconds:           m.system.Seconds(),
		CPUShare:                   perSecond(cpu.Seconds(), wall*machineCPUs),
		WaitShare:                  wait,
		CPUDelaySeconds:            knownDelay(mode, m.delay).Seconds(),
		LimiterWaitSeconds:         t.LimiterWait.Seconds(),
		OSThreadsPeak:              m.threadsPeak,
		InFlightPeak:               t.InFlightPeak,
		ContextSwitchesVoluntary:   m.voluntary,
		ContextSwitchesInvoluntary: m.involuntary,
		ResidentSetPeakBytes:       m.rssPeak,
		LatencyMS: latencyMS{
			P50: milliseconds(t.Latency.P50), P90: milliseconds(t.Latency.P90),
			P99: milliseconds(t.Latency.P99), Max: milliseconds(t.Latency.Max),
		},
		Bound:  boundOf(wait, t.LimiterWait, t.Busy),
		Errors: t.Errors, BrokenLinks: o.broken, LinksChecked: o.linksChecked, linksFailed: o.linksFailed,
		toOutput: o.toOutput, failedElsewhere: o.failedElsewhere,
	}
	for _, s := range o.steps {
		r.WorkersAuto = true
		r.WorkersSeries = append(r.WorkersSeries, workersStep{s.After.Seconds(), s.Workers})
	}
	if r.Errors == nil {
		r.Errors = []progress.ItemError{} // null is no list to those who read it
	}
	return r
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// perSecond returns n/seconds, and 0 for a run that took no time: JSON has no infinity.
func perSecond(n, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return n / seconds
}

// writeReport writes v as JSON to the file that --report names, or to stdout for "-".
func writeReport(path string, stdout io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeText(path, stdout, append(text, '\n'))
}

// writeText writes to a file, or to stdout for "-".
//
// A file gets its name when it is whole, so that who waits for it never reads half of it. A device, a pipe and the like
// are written in place: a rename would put a file where they stood.
func writeText(path string, stdout io.Writer, text []byte) error {
	if path == "-" {
		_, err := stdout.Write(text)
		return err
	}
	return writeFile(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// writeFile has write make the content of a file, as writeText does.
func writeFile(path string, write func(io.Writer) error) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() || strings.HasPrefix(path, "/dev/") {
		return writeInPlace(path, write)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays a link
	}
	return replaceFile(path, write)
}

func writeInPlace(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// replaceFile gives path its content at once: it has the old one or the new one, never a part.
func replaceFile(path string, write func(io.Writer) error) error {
	// Not os.CreateTemp, which makes files that only their owner may read.
	part := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.part", filepath.Base(path), os.Getpid()))
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return err
}

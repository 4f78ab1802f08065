package main

import (
	"pace/limiter"
)

// comparison is what compare found, as its --report writes it. Fields are only added, never renamed.
type comparison struct {
	Title   string   `json:"title,omitempty"` // what the work is, where demo chose it
	Tool    string   `json:"tool"`
	Command []string `json:"command"` // as given after --
	Machine machine  `json:"machine"`
	Started string   `json:"started"` // RFC 3339
	Runs    int      `json:"runs"`    // of each row, without the warm-up
	Warmup  int      `json:"warmup"`
	// OtherCPUShare is which share of all CPUs other programs used during the runs; 0 where the system does not say.
	OtherCPUShare float64 `json:"other_cpu_share"`

	Modes    []modeResult `json:"modes"`
	Warnings []string     `json:"warnings"`
	Verdict  verdict      `json:"verdict"`

	traces []traceFile // one for each row, if anybody is to see them
}

// modeResult is one row: a mode with a number of workers. Figures are medians over its runs.
type modeResult struct {
	Mode    limiter.Mode `json:"mode"`
	Workers int          `json:"workers"`
	// WorkersGiven is what --workers-list asked for, as "8" or "auto"; empty for the tool's own choice.
	WorkersGiven string `json:"workers_given,omitempty"`
	Backend      string `json:"backend"`
	WallSeconds  spread `json:"wall_seconds"`
	// Speedup is how many times faster the row is than the first one.
	Speedup factor `json:"speedup"`
	// Differs says whether the runs show a difference from the first row that is hardly chance; PValue is the rank test's.
	Differs bool    `json:"differs"`
	PValue  float64 `json:"p_value"`

	BytesPerSecond     float64 `json:"bytes_per_second"`
	ItemsPerSecond     float64 `json:"items_per_second"`
	CPUShare           float64 `json:"cpu_share"`
	WaitShare          float64 `json:"wait_share"`
	CPUDelaySeconds    float64 `json:"cpu_delay_seconds"`
	LimiterWaitSeconds float64 `json:"limiter_wait_seconds"`

	OSThreadsPeak              float64   `json:"os_threads_peak"`
	InFlightPeak               float64   `json:"in_flight_peak"`
	ContextSwitchesVoluntary   float64   `json:"context_switches_voluntary"`
	ContextSwitchesInvoluntary float64   `json:"context_switches_involuntary"`
	ResidentSetPeakBytes       float64   `json:"rss_peak_bytes"`
	LatencyMS                  latencyMS `json:"latency_ms"`
	Bound                      bound     `json:"bound"`
	Runs                       []report  `json:"runs"`
}

type spread struct {
	Median            float64 `json:"median"`
	Min               float64 `json:"min"`
	Max               float64 `json:"max"`
	StandardDeviation float64 `json:"stddev"`
}

// factor is how one figure relates to another, with a 95 % interval.
type factor struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

type verdict struct {
	Bound   bound        `json:"bound"`
	Best    limiter.Mode `json:"best"`
	Workers int          `json:"workers"` // of the row to use
	Text    string       `json:"text"`
}

// newComparison joins the runs of each row, of which there is at least one.
func newComparison(w compared, r rounds, runs [][]report) comparison {
	c := comparison{
		Title: w.title, Tool: w.tool, Command: w.command, Machine: thisMachine(), Started: runs[0][0].Started,
		Runs: r.runs, Warmup: r.warmup, Warnings: []string{},
	}
	for i, row := range r.rows {
		c.Modes = append(c.Modes, newModeResult(row, runs[i]))
	}
	first := walls(runs[0])
	for i := range c.Modes {
		m := &c.Modes[i]
		if i == 0 {
			m.Speedup, m.PValue = factor{1, 1, 1}, 1
			continue
		}
		own := walls(runs[i])
		m.Speedup, m.PValue, m.Differs = ratioOf(first, own), rankTest(first, own), differ(first, own)
	}
	c.Warnings = append(c.Warnings, c.runWarnings()...)
	c.Warnings = append(c.Warnings, c.limitWarnings(w.flags)...)
	c.Verdict = newVerdict(c.Modes)
	return c
}

func newModeResult(row setting, runs []report) modeResult {
	of := func(figure func(report) float64) float64 { return median(figures(runs, figure)) }
	return modeResult{
		Mode: runs[0].Mode, Workers: int(of(func(r report) float64 { return float64(r.Workers) })),
		WorkersGiven: row.workers, Backend: runs[0].Backend, Runs: runs,
		WallSeconds:                spreadOf(walls(runs)),
		BytesPerSecond:             of(func(r report) float64 { return r.BytesPerSecond }),
		ItemsPerSecond:             of(func(r report) float64 { return r.ItemsPerSecond }),
		CPUShare:                   of(func(r report) float64 { return r.CPUShare }),
		WaitShare:                  of(func(r report) float64 { return r.WaitShare }),
		CPUDelaySeconds:            of(func(r report) float64 { return r.CPUDelaySeconds }),
		LimiterWaitSeconds:         of(func(r report) float64 { return r.LimiterWaitSeconds }),
		OSThreadsPeak:              of(func(r report) float64 { return float64(r.OSThreadsPeak) }),
		InFlightPeak:               of(func(r report) float64 { return float64(r.InFlightPeak) }),
		ContextSwitchesVoluntary:   of(func(r report) float64 { return float64(r.ContextSwitchesVoluntary) }),
		ContextSwitchesInvoluntary: of(func(r report) float64 { return float64(r.ContextSwitchesInvoluntary) }),
		ResidentSetPeakBytes:       of(func(r report) float64 { return float64(r.ResidentSetPeakBytes) }),
		LatencyMS: latencyMS{
			P50: of(func(r report) float64 { return r.LatencyMS.P50 }),
			P90: of(func(r report) float64 { return r.LatencyMS.P90 }),
			P99: of(func(r report) float64 { return r.LatencyMS.P99 }),
			Max: of(func(r report) float64 { return r.LatencyMS.Max }),
		},
		Bound: mostOften(runs),
	}
}

func figures(runs []report, figure func(report) float64) []float64 {
	var values []float64
	for _, r := range runs {
		values = append(values, figure(r))
	}
	return values
}

func walls(runs []report) []float64 {
	return figures(runs, func(r report) float64 { return r.WallSeconds })
}

// mostOften returns the bound that most runs had.
func mostOften(runs []report) bound {
	count := make(map[bound]int)
	best := runs[0].Bound
	for _, r := range runs {
		count[r.Bound]++
		if count[r.Bound] > count[best] {
			best = r.Bound
		}
	}
	return best
}

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"pace/limiter"
)

// comparison is what compare found, as its --report writes it. Figures of a mode are medians over its runs.
type comparison struct {
	Tool    string       `json:"tool"`
	Modes   []modeResult `json:"modes"`
	Verdict verdict      `json:"verdict"`
}

type modeResult struct {
	Mode        limiter.Mode `json:"mode"`
	Workers     int          `json:"workers"`
	Backend     string       `json:"backend"`
	WallSeconds spread       `json:"wall_seconds"`
	// Speedup is how many times faster the mode is than the first one.
	Speedup                  factor   `json:"speedup"`
	BytesPerSecond           float64  `json:"bytes_per_second"`
	ItemsPerSecond           float64  `json:"items_per_second"`
	CPUShare                 float64  `json:"cpu_share"`
	WaitShare                float64  `json:"wait_share"`
	LimiterWaitSeconds       float64  `json:"limiter_wait_seconds"`
	OSThreadsPeak            float64  `json:"os_threads_peak"`
	InFlightPeak             float64  `json:"in_flight_peak"`
	ContextSwitchesVoluntary float64  `json:"context_switches_voluntary"`
	ResidentSetPeakBytes     float64  `json:"rss_peak_bytes"`
	Bound                    bound    `json:"bound"`
	Runs                     []report `json:"runs"`
}

type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// factor is how one figure relates to another.
type factor struct {
	Median float64 `json:"median"`
}

type verdict struct {
	Bound bound        `json:"bound"`
	Best  limiter.Mode `json:"best"`
	Text  string       `json:"text"`
}

func newComparison(w compared, modes []limiter.Mode, runs map[limiter.Mode][]report) comparison {
	c := comparison{Tool: w.tool}
	for _, mode := range modes {
		c.Modes = append(c.Modes, newModeResult(runs[mode]))
	}
	base := c.Modes[0].WallSeconds.Median
	for i := range c.Modes {
		c.Modes[i].Speedup.Median = perSecond(base, c.Modes[i].WallSeconds.Median)
	}
	c.Verdict = newVerdict(c.Modes)
	return c
}

// newModeResult takes at least one run.
func newModeResult(runs []report) modeResult {
	of := func(figure func(report) float64) float64 { return spreadOf(runs, figure).Median }
	r := modeResult{
		Mode: runs[0].Mode, Workers: runs[0].Workers, Backend: runs[0].Backend, Runs: runs,
		WallSeconds:              spreadOf(runs, func(r report) float64 { return r.WallSeconds }),
		BytesPerSecond:           of(func(r report) float64 { return r.BytesPerSecond }),
		ItemsPerSecond:           of(func(r report) float64 { return r.ItemsPerSecond }),
		CPUShare:                 of(func(r report) float64 { return r.CPUShare }),
		WaitShare:                of(func(r report) float64 { return r.WaitShare }),
		LimiterWaitSeconds:       of(func(r report) float64 { return r.LimiterWaitSeconds }),
		OSThreadsPeak:            of(func(r report) float64 { return float64(r.OSThreadsPeak) }),
		InFlightPeak:             of(func(r report) float64 { return float64(r.InFlightPeak) }),
		ContextSwitchesVoluntary: of(func(r report) float64 { return float64(r.ContextSwitchesVoluntary) }),
		ResidentSetPeakBytes:     of(func(r report) float64 { return float64(r.ResidentSetPeakBytes) }),
	}
	r.Bound = mostOften(runs)
	return r
}

func spreadOf(runs []report, figure func(report) float64) spread {
	var values []float64
	for _, r := range runs {
		values = append(values, figure(r))
	}
	slices.Sort(values)
	n := len(values)
	return spread{Median: (values[(n-1)/2] + values[n/2]) / 2, Min: values[0], Max: values[n-1]}
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

// newVerdict says what bounds the work and which mode to use. The first mode's bound stands for the work: in it, nothing
// is hidden by overlapping if it is sequential.
func newVerdict(modes []modeResult) verdict {
	first := modes[0]
	best := slices.MinFunc(modes, func(a, b modeResult) int {
		return cmp.Compare(a.WallSeconds.Median, b.WallSeconds.Median)
	})
	v := verdict{Bound: first.Bound, Best: best.Mode}
	limited := slices.ContainsFunc(modes, func(m modeResult) bool { return m.Bound == boundLimiter })
	switch {
	case limited:
		v.Bound = boundLimiter
		v.Text = "Limiter-bound: a rate limit or a delay takes most of the time, and hides the difference between the " +
			"modes. Raise --rate, or set it to 0, to see it."
		return v
	case v.Bound == boundIO:
		v.Text = fmt.Sprintf("I/O-bound: in %s mode the CPUs idle %s of the time, waiting. ",
			first.Mode, percentText(first.WaitShare))
	default:
		v.Text = fmt.Sprintf("CPU-bound: in %s mode the CPU is busy %s of the time, so overlapping waits gains little "+
			"and only more cores help. ", first.Mode, percentText(1-first.WaitShare))
	}
	v.Text += choiceText(modes, best)
	return v
}

// choiceText names the mode to use, against the first mode, or the next best if the first is the best. Modes whose runs
// overlap in time are as fast as each other.
func choiceText(modes []modeResult, best modeResult) string {
	if len(modes) == 1 {
		return "There is no other mode to compare with."
	}
	others := slices.DeleteFunc(slices.Clone(modes), func(m modeResult) bool { return m.Mode == best.Mode })
	against := modes[0]
	if best.Mode == against.Mode {
		against = slices.MaxFunc(others, func(a, b modeResult) int { return cmp.Compare(a.Speedup.Median, b.Speedup.Median) })
	}
	var equal []string
	for _, m := range others {
		if m.WallSeconds.Min <= best.WallSeconds.Max {
			equal = append(equal, m.Mode.String())
		}
	}
	if len(equal) == len(others) {
		return "The modes differ no more than their runs do: use any."
	}
	text := "Use " + best.Mode.String()
	if !slices.Contains(equal, against.Mode.String()) {
		text += fmt.Sprintf(": %s times as fast as %s", factorText(best.Speedup.Median/against.Speedup.Median), against.Mode)
	}
	if len(equal) > 0 {
		text += "; " + strings.Join(equal, " and ") + " differs no more from it than the runs do"
	}
	return text + "."
}

func factorText(f float64) string { return fmt.Sprintf("%.2f", f) }

// print writes the table and the verdict.
func (c comparison) print(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	perUnit := "throughput"
	if c.Tool == "crawl" {
		perUnit = "pages/s"
	}
	_, _ = fmt.Fprintf(t, "mode\tmedian\t× %s\t%s\tCPU\twait\tthreads\t\n", c.Modes[0].Mode, perUnit)
	for _, m := range c.Modes {
		through := inBytes.perSecond(m.BytesPerSecond)
		if c.Tool == "crawl" {
			through = countText(m.ItemsPerSecond)
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%.0f\t\n", m.Mode, secondsText(m.WallSeconds.Median),
			factorText(m.Speedup.Median), through, percentText(m.CPUShare), percentText(m.WaitShare), m.OSThreadsPeak)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, leftFirst(b.String())+"\n"+wrap(c.Verdict.Text, helpWidth)+"\n")
	return err
}

// leftFirst aligns the first column of a table of right-aligned ones to the left: its names read better so.
func leftFirst(table string) string {
	var b strings.Builder
	for line := range strings.Lines(table) {
		name := strings.TrimLeft(line, " ")
		indent := len(line) - len(name)
		end := strings.IndexByte(name, ' ')
		b.WriteString(name[:end] + strings.Repeat(" ", indent) + strings.TrimRight(name[end:], " \n") + "\n")
	}
	return b.String()
}

// wrap breaks text between words into lines of at most width characters.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		n := len([]rune(word))
		switch {
		case column == 0:
		case column+1+n > width:
			b.WriteString("\n")
			column = 0
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

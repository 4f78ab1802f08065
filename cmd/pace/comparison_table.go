package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print writes the tables and the verdict: first how fast each row was, then why.
func (c comparison) print(w io.Writer) error {
	_, err := io.WriteString(w, c.speedTable().text()+"\n"+c.causeTable().text()+"\n"+wrap(c.Verdict.Text, helpWidth)+"\n")
	return err
}

// table is a heading and rows of equally many cells.
type table [][]string

// speedTable says how fast each row was. Its figures are those of the JSON report, rounded.
func (c comparison) speedTable() table {
	t := table{{"mode", "workers", "median", "× " + c.Modes[0].Mode.String(), "95 %", c.throughputName()}}
	for i, m := range c.Modes {
		interval := "" // of the first row to itself, or of a single run
		if i > 0 && len(m.Runs) > 1 {
			interval = factorText(m.Speedup.Low) + "-" + factorText(m.Speedup.High)
		}
		t = append(t, []string{
			m.Mode.String(), m.workersText(), m.WallSeconds.text(), factorText(m.Speedup.Median), interval, c.throughput(m),
		})
	}
	return t
}

// causeTable says what each row did with its time.
func (c comparison) causeTable() table {
	t := table{{"mode", "workers", "CPU", "wait", "threads", "switches", "memory", "p50 ms", "p99 ms"}}
	for _, m := range c.Modes {
		t = append(t, []string{
			m.Mode.String(), m.workersText(), percentText(m.CPUShare), percentText(m.WaitShare),
			fmt.Sprintf("%.0f", m.OSThreadsPeak),
			fmt.Sprintf("%.0f/%.0f", m.ContextSwitchesVoluntary, m.ContextSwitchesInvoluntary),
			bytesText(m.ResidentSetPeakBytes), countText(m.LatencyMS.P50), countText(m.LatencyMS.P99),
		})
	}
	return t
}

func (c comparison) throughputName() string {
	if c.Tool == "crawl" {
		return "pages/s"
	}
	return "throughput"
}

func (c comparison) throughput(m modeResult) string {
	if c.Tool == "crawl" {
		return countText(m.ItemsPerSecond)
	}
	return inBytes.perSecond(m.BytesPerSecond)
}

// text writes the median with the standard deviation, which has as many digits behind the point: 1.02 s ± 0.01.
func (s spread) text() string {
	scale, digits, unit := 1.0, 2, "s"
	switch {
	case s.Median < 0.01:
		scale, digits, unit = 1000, 2, "ms"
	case s.Median < 0.1:
		scale, digits, unit = 1000, 1, "ms"
	case s.Median >= 100:
		digits = 0
	}
	if s.Min == s.Max {
		return fmt.Sprintf("%.*f %s", digits, s.Median*scale, unit)
	}
	return fmt.Sprintf("%.*f %s ± %.*f", digits, s.Median*scale, unit, digits, s.StandardDeviation*scale)
}

// text aligns the first column to the left, for names read better so, and the others to the right.
func (t table) text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range t {
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t")+"\t") // a Builder takes everything
	}
	_ = w.Flush()
	var lines strings.Builder
	for line := range strings.Lines(b.String()) {
		name := strings.TrimLeft(line, " ")
		indent := len(line) - len(name)
		end := strings.IndexByte(name, ' ')
		lines.WriteString(name[:end] + strings.Repeat(" ", indent) + strings.TrimRight(name[end:], " \n") + "\n")
	}
	return lines.String()
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

package main

import (
	"fmt"
	"strings"
)

// short writes a comparison as demo shows it: a table and a sentence.
func (c comparison) short(number int) string {
	t := table{{"mode", "workers", "median", "speed-up", c.throughputName(), "CPU", "wait", "threads"}}
	for _, m := range c.Modes {
		t = append(t, []string{
			m.Mode.String(), m.workersText(), m.WallSeconds.text(), factorText(m.Speedup.Median), c.throughput(m),
			percentText(m.CPUShare), percentText(m.WaitShare), fmt.Sprintf("%.0f", m.OSThreadsPeak),
		})
	}
	return fmt.Sprintf("%s\n\n%s\n%s\n",
		wrap(fmt.Sprintf("%d. %s", number, c.Title), helpWidth), t.text(), wrap(c.sentence(), helpWidth))
}

// sentence says in one what the comparison found.
func (c comparison) sentence() string {
	first := c.Modes[0]
	var b strings.Builder
	switch c.Verdict.Bound {
	case boundLimiter:
		b.WriteString("Limiter-bound: a rate limit takes most of the time")
	case boundIO:
		fmt.Fprintf(&b, "I/O-bound: in %s mode the CPUs idle %s of the time", first.Mode, percentText(first.WaitShare))
	default:
		fmt.Fprintf(&b, "CPU-bound: in %s mode the CPU is busy %s", first.Mode, first.busyText())
	}
	rest := c.Modes[1:]
	for i, m := range rest {
		join := ", "
		if i == 0 {
			join = "; "
		}
		b.WriteString(join + m.Mode.String() + " is " + gainText(m))
	}
	if len(rest) == 2 && rest[0].Differs && rest[1].Differs && !rowsDiffer(rest[0], rest[1]) {
		b.WriteString(", and the two do not differ beyond the noise")
	}
	return b.String() + "."
}

// gainText says how a row did against the first one.
func gainText(m modeResult) string {
	switch {
	case !m.Differs:
		return "no different"
	case m.Speedup.Median > 1:
		return fmt.Sprintf("%.3g times as fast", m.Speedup.Median)
	}
	return fmt.Sprintf("%.3g times as slow", 1/m.Speedup.Median)
}

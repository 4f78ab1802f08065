package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pace/limiter"
)

// newVerdict says what bounds the work, from which figures, and which row to use. The bound is that of sequential mode,
// where nothing is hidden by overlapping, or else of the first row.
func newVerdict(rows []modeResult) verdict {
	plain := rows[0]
	if i := slices.IndexFunc(rows, func(m modeResult) bool { return m.Mode == limiter.Sequential }); i >= 0 {
		plain = rows[i]
	}
	best := recommended(rows)
	v := verdict{Bound: plain.trueBound(), Best: rows[best].Mode, Workers: rows[best].Workers}
	limited := slices.IndexFunc(rows, func(m modeResult) bool { return m.Bound == boundLimiter })
	switch {
	case limited >= 0:
		v.Bound = boundLimiter
		m := rows[limited]
		v.Text = fmt.Sprintf("Limiter-bound: in %s mode a rate limit or a delay takes %s of the time, and hides the "+
			"difference between the modes. Raise --rate, or set it to 0, to see it. ",
			m.Mode, percentText(min(perSecond(m.LimiterWaitSeconds, m.WallSeconds.Median), 1)))
	case v.Bound == boundIO:
		v.Text = fmt.Sprintf("I/O-bound: in %s mode the CPUs idle %s of the time, waiting. ",
			plain.Mode, percentText(plain.WaitShare))
	default:
		v.Text = fmt.Sprintf("CPU-bound: in %s mode the CPU is busy %s, so overlapping waits gains little and only more "+
			"cores help. ", plain.Mode, plain.busyText())
	}
	v.Text += choiceText(rows, best)
	return v
}

// trueBound is the bound that the row would have if other programs had not kept the CPU from it: a run that waits for
// its turn looks as if it waited for a disk or a peer. That is known of sequential mode, with its one CPU.
func (m modeResult) trueBound() bound {
	if m.Bound == boundIO && m.WaitShare-m.keptShare() < 0.5 {
		return boundCPU
	}
	return m.Bound
}

// keptShare returns for which part of its time a row in sequential mode was ready to run, but other programs had the CPU.
func (m modeResult) keptShare() float64 {
	if m.Mode != limiter.Sequential {
		return 0
	}
	return min(perSecond(m.CPUDelaySeconds, m.WallSeconds.Median), m.WaitShare)
}

// busyText says how busy the row kept the CPU that it has in sequential mode.
func (m modeResult) busyText() string {
	text := percentText(1-m.WaitShare) + " of the time"
	if kept := m.keptShare(); kept > notableWait {
		text += ", and kept by other programs for " + percentText(kept)
	}
	return text
}

// nearlyBest is how much slower than the fastest a row with fewer workers may be and still be the one to use.
const nearlyBest = 1.05

// recommended returns the index of the row to use: the fastest, or one of its mode that has fewer workers and differs
// from it by chance at most.
func recommended(rows []modeResult) int {
	fastest := 0
	for i, m := range rows {
		if m.WallSeconds.Median < rows[fastest].WallSeconds.Median {
			fastest = i
		}
	}
	best := fastest
	for i, m := range rows {
		near := m.WallSeconds.Median <= nearlyBest*rows[fastest].WallSeconds.Median
		if near && m.Mode == rows[best].Mode && m.Workers < rows[best].Workers && !rowsDiffer(m, rows[fastest]) {
			best = i
		}
	}
	return best
}

func rowsDiffer(a, b modeResult) bool { return differ(walls(a.Runs), walls(b.Runs)) }

// choiceText names the row to use, against the first row, or the next best if it is as good as that.
func choiceText(rows []modeResult, best int) string {
	if len(rows) == 1 {
		return "There is no other mode to compare with."
	}
	names := rowNames(rows)
	var equal []string
	var slower []int
	for i, m := range rows {
		switch {
		case i == best:
		case rowsDiffer(m, rows[best]):
			slower = append(slower, i)
		default:
			equal = append(equal, names[i])
		}
	}
	if len(slower) == 0 {
		return "There is no difference beyond the noise of the runs: use any."
	}
	against := slower[0]
	if against > 0 { // the first row is as good
		against = slices.MinFunc(slower, func(i, j int) int {
			return cmp.Compare(rows[i].WallSeconds.Median, rows[j].WallSeconds.Median)
		})
	}
	ratio := ratioOf(walls(rows[against].Runs), walls(rows[best].Runs))
	text := fmt.Sprintf("Use %s: %s times as fast as %s",
		workersName(rows[best], names[best]), factorText(ratio.Median), names[against])
	switch n := len(equal); {
	case n == 0:
	case n == 1:
		text += "; " + equal[0] + " differs from it by noise only"
	case n <= 3:
		text += "; " + andList(equal) + " differ from it by noise only"
	default:
		text += fmt.Sprintf("; %d other rows differ from it by noise only", n)
	}
	return text + "."
}

// rowNames returns what tells the rows apart: the mode, its workers where it has several rows, and the place where those
// are equal too.
func rowNames(rows []modeResult) []string {
	count := make(map[limiter.Mode]int)
	for _, m := range rows {
		count[m.Mode]++
	}
	var names []string
	for _, m := range rows {
		name := m.Mode.String()
		if count[m.Mode] > 1 {
			name = workersName(m, name)
		}
		names = append(names, name)
	}
	named := slices.Clone(names)
	for i, name := range names {
		if slices.Index(names, name) != i {
			named[i] = fmt.Sprintf("%s in row %d", name, i+1)
		}
	}
	return named
}

// workersName adds to a row's name how many workers it has, if it does not say.
func workersName(m modeResult, name string) string {
	if m.Mode == limiter.Sequential || strings.Contains(name, " with ") {
		return name
	}
	if m.WorkersGiven == autoWord {
		return name + " with " + m.workersText() + " workers"
	}
	return name + " with " + countOf(int64(m.Workers), "worker")
}

// workersText is a number, or for a row that found its own "auto (12)".
func (m modeResult) workersText() string {
	if m.WorkersGiven == autoWord {
		return fmt.Sprintf("%s (%d)", autoWord, m.Workers)
	}
	return fmt.Sprint(m.Workers)
}

// andList joins words as a sentence does: "a, b and c".
func andList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

func factorText(f float64) string { return fmt.Sprintf("%.2f", f) }

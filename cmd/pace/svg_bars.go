package main

import (
	"strings"

	"pace/limiter"
)

// chartRow is a row of the comparison as all pictures show it.
type chartRow struct {
	modeResult
	name  string
	short string // the name where there is little room
	class string
	trace traceFile
}

func chartRows(c comparison) []chartRow {
	names := rowNames(c.Modes)
	var rows []chartRow
	for i, m := range c.Modes {
		r := chartRow{modeResult: m, name: workersName(m, names[i]), short: shortName(m), class: m.Mode.String()}
		if i < len(c.traces) {
			r.trace = c.traces[i]
		}
		rows = append(rows, r)
	}
	return rows
}

// shortName is "async ×64".
func shortName(m modeResult) string {
	if m.Mode == limiter.Sequential {
		return m.Mode.String()
	}
	return m.Mode.String() + " ×" + m.workersText()
}

// wallFigures says how long the i-th row took and how that compares with the first, in ever fewer words.
func (r chartRow) wallFigures(i int, base chartRow) []string {
	long, short := r.WallSeconds.text(), durationText(r.WallSeconds.Median)
	if i == 0 {
		return []string{long, short, short}
	}
	ratio := factorText(r.Speedup.Median) + " ×"
	return []string{long + " · " + ratio + " " + base.Mode.String(), short + " · " + ratio, short}
}

// wallChart shows how long each row took: the median as a bar, the runs as dots.
func wallChart(id string, rows []chartRow) chart {
	longest := 0.0
	var said []string
	var wordings [][]string
	for i, r := range rows {
		longest = max(longest, r.WallSeconds.Max)
		wordings = append(wordings, r.wallFigures(i, rows[0]))
		said = append(said, r.name+" "+r.WallSeconds.text())
	}
	c := newChart(id, "How long it took", "The bar is the median of the measured runs, each dot is a run. Shorter is faster.",
		"Bars: "+strings.Join(said, ", ")+".", func(d *drawing) {
			s := scale{max: longest, from: 0, to: d.width - 8}
			figures := d.wording(rows, wordings)
			for i, r := range rows {
				d.heading(r, figures[i])
				d.rect("m "+r.class, s.at(0), d.y, max(s.at(r.WallSeconds.Median), 1), 16, wordings[i][0])
				d.rule("whisker", s.at(r.WallSeconds.Min), d.y+8, s.at(r.WallSeconds.Max), d.y+8)
				for _, run := range r.Runs {
					d.dot("run", s.at(run.WallSeconds), d.y+8, 3.5, durationText(run.WallSeconds))
				}
				d.y += 16 + 10
			}
			d.timeAxis(s, 0)
		})
	c.Tables = []dataTable{wallTable(rows)}
	return c
}

func wallTable(rows []chartRow) dataTable {
	t := dataTable{
		Caption: "Wall seconds", Head: []string{"mode", "median", "least", "most", "deviation", "times as fast", "95 %"},
	}
	for i, r := range rows {
		interval := ""
		if i > 0 && len(r.Runs) > 1 {
			interval = factorText(r.Speedup.Low) + "–" + factorText(r.Speedup.High)
		}
		w := r.WallSeconds
		t.Rows = append(t.Rows, []string{
			r.name, seconds6(w.Median), seconds6(w.Min), seconds6(w.Max), seconds6(w.StandardDeviation),
			factorText(r.Speedup.Median), interval,
		})
	}
	return t
}

// cpuParts divides the CPU time that a row could have used.
type cpuParts struct{ cpu, kept, limiter, other float64 }

func (r chartRow) cpuParts() cpuParts {
	wait := min(max(r.WaitShare, 0), 1)
	limited := min(perSecond(r.LimiterWaitSeconds, r.WallSeconds.Median), wait)
	kept := min(r.keptShare(), wait-limited)
	return cpuParts{cpu: 1 - wait, kept: kept, limiter: limited, other: wait - limited - kept}
}

// notablePart is the share below which a part of a bar is not worth a word.
const notablePart = 0.005

func (p cpuParts) text() string {
	text := "CPU " + percentText(p.cpu)
	if p.kept >= notablePart {
		text += " · no CPU " + percentText(p.kept)
	}
	text += " · waiting " + percentText(p.other)
	if p.limiter >= notablePart {
		text += " · limit " + percentText(p.limiter)
	}
	return text
}

// cpuChart shows how much of its CPUs' time each row computed and how much it waited.
func cpuChart(id string, rows []chartRow) chart {
	var said []string
	var wordings [][]string
	limited, kept := false, false
	for _, r := range rows {
		p := r.cpuParts()
		wordings = append(wordings, []string{p.text(), "CPU " + percentText(p.cpu) + " · rest " + percentText(1-p.cpu)})
		said = append(said, r.name+": "+p.text())
		limited, kept = limited || p.limiter >= notablePart, kept || p.kept >= notablePart
	}
	note := "All of a bar is the time of the CPUs that the mode can use, for as long as it had work. What is not computing " +
		"is waiting: for a disk, a peer, or another worker."
	c := newChart(id, "Computing and waiting", note, strings.Join(said, "; ")+".", func(d *drawing) {
		s := scale{max: 1, from: 0, to: d.width}
		figures := d.wording(rows, wordings)
		for i, r := range rows {
			d.heading(r, figures[i])
			d.cpuBar(r, r.cpuParts(), s)
		}
		for _, share := range []float64{0, 0.25, 0.5, 0.75, 1} {
			anchor := "middle"
			switch share {
			case 0:
				anchor = "start"
			case 1:
				anchor = "end"
			}
			d.text("tick", anchor, s.at(share), d.y+d.font-2, percentText(share))
		}
		d.y += d.line()
	})
	c.Legend = []legend{{"m ink", "computing"}, {"wait ink", "waiting"}}
	if kept {
		c.Legend = append(c.Legend, legend{"kept", "ready, but other programs had the CPU (known of sequential)"})
	}
	if limited {
		c.Legend = append(c.Legend, legend{"limit", "waiting for a rate or a delay"})
	}
	t := dataTable{
		Caption: "Shares of the CPU time that could have been used",
		Head:    []string{"mode", "computing", "no CPU", "waiting", "for a limit"},
	}
	for _, r := range rows {
		p := r.cpuParts()
		t.Rows = append(t.Rows, []string{
			r.name, percentText(p.cpu), percentText(p.kept), percentText(p.other), percentText(p.limiter),
		})
	}
	c.Tables = []dataTable{t}
	return c
}

// cpuBar draws the parts side by side. What is no plain waiting has a pattern too.
func (d *drawing) cpuBar(r chartRow, p cpuParts, s scale) {
	const height = 18
	x := 0.0
	for _, part := range []struct {
		share                 float64
		class, pattern, words string
	}{
		{p.cpu, "m " + r.class, "", "computing"},
		{p.kept, "wait " + r.class, "dots", "ready, without a CPU"},
		{p.other, "wait " + r.class, "", "waiting"},
		{p.limiter, "wait " + r.class, "hatch", "waiting for a rate or a delay"},
	} {
		width := s.at(part.share)
		if part.share <= 0 {
			continue
		}
		d.rect(part.class, x, d.y, width, height, part.words+" "+percentText(part.share))
		if part.pattern != "" {
			d.rect(part.pattern, x, d.y, width, height, "")
		}
		x += width
	}
	d.rect("frame", 0.5, d.y+0.5, d.width-1, height-1, "")
	d.y += height + 10
}

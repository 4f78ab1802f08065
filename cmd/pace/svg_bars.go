package main

import (
	"fmt"
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
	return m.Mode.String() + " ×" + workersText(m)
}

// wallFigures says how long the i-th row took and how that compares with the first, in ever fewer words.
func (r chartRow) wallFigures(i int, base chartRow) []string {
	long, short := r.WallSeconds.text(), durationText(r.WallSeconds.Median)
	if i == 0 {
		return []string{long, short}
	}
	ratio := factorText(r.Speedup.Median) + " ×"
	return []string{long + " · " + ratio + " " + base.Mode.String(), short + " · " + ratio, short}
}

// wallChart shows how long each row took: the median as a bar, the runs as dots.
func wallChart(id string, rows []chartRow) chart {
	longest := 0.0
	var said []string
	for _, r := range rows {
		longest = max(longest, r.WallSeconds.Max)
		said = append(said, r.name+" "+r.WallSeconds.text())
	}
	c := newChart(id, "How long it took", "The bar is the median of the measured runs, each dot is a run. Shorter is faster.",
		"Bars: "+strings.Join(said, ", ")+".", func(d *drawing) {
			s := scale{max: longest, from: 0, to: d.width - 8}
			for i, r := range rows {
				figures := r.wallFigures(i, rows[0])
				d.heading(r, figures...)
				d.rect("m "+r.class, s.at(0), d.y, max(s.at(r.WallSeconds.Median), 1), 16, figures[0])
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
type cpuParts struct{ cpu, limiter, other float64 }

func (r chartRow) cpuParts() cpuParts {
	wait := min(max(r.WaitShare, 0), 1)
	limited := min(perSecond(r.LimiterWaitSeconds, r.WallSeconds.Median), wait)
	return cpuParts{cpu: 1 - wait, limiter: limited, other: wait - limited}
}

func (p cpuParts) text() string {
	text := fmt.Sprintf("CPU %s · waiting %s", percentText(p.cpu), percentText(p.other))
	if p.limiter >= 0.005 {
		text += " · limit " + percentText(p.limiter)
	}
	return text
}

// cpuChart shows how much of its CPUs' time each row computed and how much it waited.
func cpuChart(id string, rows []chartRow) chart {
	var said []string
	limited := false
	for _, r := range rows {
		said = append(said, r.name+": "+r.cpuParts().text())
		limited = limited || r.cpuParts().limiter >= 0.005
	}
	note := "All of a bar is the time of the CPUs that the mode can use, for as long as it had work. What is not computing " +
		"is waiting: for a disk, a peer, or another worker."
	c := newChart(id, "Computing and waiting", note, strings.Join(said, "; ")+".", func(d *drawing) {
		s := scale{max: 1, from: 0, to: d.width}
		for _, r := range rows {
			p := r.cpuParts()
			d.heading(r, p.text(), percentText(p.cpu))
			x := s.at(p.cpu)
			d.rect("m "+r.class, 0, d.y, x, 18, "computing "+percentText(p.cpu))
			d.rect("wait "+r.class, x, d.y, s.at(p.other), 18, "waiting "+percentText(p.other))
			x += s.at(p.other)
			if p.limiter > 0 {
				d.rect("wait "+r.class, x, d.y, s.at(p.limiter), 18, "waiting for a limit "+percentText(p.limiter))
				d.rect("hatch", x, d.y, s.at(p.limiter), 18, "")
			}
			d.rect("frame", 0.5, d.y+0.5, d.width-1, 17, "")
			d.y += 18 + 10
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
	if limited {
		c.Legend = append(c.Legend, legend{"limit", "waiting for a rate or a delay"})
	}
	t := dataTable{
		Caption: "Shares of the CPU time that could have been used",
		Head:    []string{"mode", "computing", "waiting", "for a limit"},
	}
	for _, r := range rows {
		p := r.cpuParts()
		t.Rows = append(t.Rows, []string{r.name, percentText(p.cpu), percentText(p.other), percentText(p.limiter)})
	}
	c.Tables = []dataTable{t}
	return c
}

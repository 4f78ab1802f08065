package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"pace/limiter"
)

// swept says whether a mode was measured with several numbers of workers.
func swept(rows []chartRow) bool {
	count := map[limiter.Mode]map[int]bool{}
	for _, r := range rows {
		if count[r.Mode] == nil {
			count[r.Mode] = map[int]bool{}
		}
		if count[r.Mode][r.Workers] = true; len(count[r.Mode]) > 1 {
			return true
		}
	}
	return false
}

// speedupChart shows what more workers gain.
func speedupChart(id string, rows []chartRow) chart {
	most, top := 1, 1.0
	var said []string
	for i, r := range rows {
		most, top = max(most, r.Workers), max(top, r.Speedup.High, r.Speedup.Median)
		if i > 0 {
			said = append(said, fmt.Sprintf("%s %s", r.name, factorText(r.Speedup.Median)))
		}
	}
	base := rows[0].name
	c := newChart(id, "What more workers gain", "How many times as fast as "+base+", with 95 % intervals, by the number of "+
		"workers. Where a line becomes flat, more workers gain nothing.",
		"Times as fast as "+base+": "+strings.Join(said, ", ")+".", func(d *drawing) {
			height := 260.0
			if d.narrow() {
				height = 200
			}
			d.text("tick", "start", 0, d.font, "× "+rows[0].Mode.String())
			d.y = d.line() + 4
			x := scale{min: 1, max: math.Max(float64(most), 2), from: d.gutter + 8, to: d.width - 14, log: true}
			y := scale{max: top * 1.05, from: d.y + height, to: d.y}
			for _, v := range y.ticks(5) {
				d.rule("grid", d.gutter, y.at(v), d.width, y.at(v))
				d.text("tick", "end", d.gutter-6, y.at(v)+d.font*0.35, shortNumber(v))
			}
			d.workersAxis(x, rows, height)
			for _, mode := range limiter.Modes {
				d.speedupLine(mode, rows, x, y)
			}
			d.y += height + 2*d.line() + 4
		})
	for _, mode := range limiter.Modes {
		for _, r := range rows {
			if r.Mode == mode {
				c.Legend = append(c.Legend, legend{"m " + r.class + " " + "mark-" + r.class, mode.String()})
				break
			}
		}
	}
	c.Tables = []dataTable{wallTable(rows)}
	return c
}

func (d *drawing) workersAxis(x scale, rows []chartRow, height float64) {
	last := math.Inf(-1)
	seen := map[int]bool{}
	for n := 1; float64(n) <= x.max; n *= 2 {
		seen[n] = true
	}
	for _, r := range rows {
		seen[r.Workers] = true
	}
	for n := 1; float64(n) <= x.max; n++ {
		label := fmt.Sprint(n)
		if at := x.at(float64(n)); seen[n] && at-d.textWidth(label)/2 > last+4 {
			d.rule("grid", at, d.y+height, at, d.y+height+4)
			d.text("tick", "middle", at, d.y+height+d.font+6, label)
			last = at + d.textWidth(label)/2
		}
	}
	d.text("tick", "end", d.width, d.y+height+2*d.font+10, "workers")
}

// speedupLine draws the rows of a mode. Each mode has a mark of its own shape too.
func (d *drawing) speedupLine(mode limiter.Mode, rows []chartRow, x, y scale) {
	var path strings.Builder
	base := rows[0].name
	rows = slices.SortedStableFunc(slices.Values(rows), func(a, b chartRow) int { return cmp.Compare(a.Workers, b.Workers) })
	for _, r := range rows {
		if r.Mode != mode {
			continue
		}
		at, up := x.at(float64(max(r.Workers, 1))), y.at(r.Speedup.Median)
		if path.Len() == 0 {
			fmt.Fprintf(&path, "M%v %v", px(at), px(up))
		} else {
			fmt.Fprintf(&path, "L%v %v", px(at), px(up))
		}
		if r.name != base && len(r.Runs) > 1 {
			d.rule("whisker", at, y.at(r.Speedup.Low), at, y.at(r.Speedup.High))
		}
		hint := r.name + ": " + factorText(r.Speedup.Median)
		switch mode {
		case limiter.Sequential:
			d.path("m "+r.class, fmt.Sprintf("M%v %vl6 6l-6 6l-6 -6Z", px(at), px(up-6)), hint)
		case limiter.Threads:
			d.rect("m "+r.class, at-6.5, up-6.5, 13, 13, hint)
		default:
			d.dot("m "+r.class, at, up, 4.5, hint)
		}
	}
	if path.Len() > 0 {
		d.path("curve "+mode.String(), path.String(), "")
	}
}

package main

import (
	"fmt"
	"slices"
	"strings"
)

const (
	mostParts  = 220 // of a series, as wide as the canvas
	fewParts   = 48  // where more would show each operation instead of what they come to
	tableParts = 40
)

// course is what a chart over time shows.
type course struct {
	id, title, note string
	unit            string
	values          func(traceFile) []float64
	scaled          float64 // values are divided by it
	parts           int     // at most
	mean            func(chartRow, float64) string
}

// inFlightChart shows how many operations ran at once.
func inFlightChart(id string, rows []chartRow) chart {
	return courseChart(course{
		id: id, title: "In flight over time",
		note:   "How many operations ran at once. All of the run, on the same scales for all.",
		unit:   "in flight",
		values: func(t traceFile) []float64 { return t.series.InFlight }, scaled: 1, parts: mostParts,
		mean: func(r chartRow, mean float64) string {
			return fmt.Sprintf("on average %s for %s", shortNumber(mean), durationText(r.trace.series.End))
		},
	}, rows)
}

// throughputChart shows how much was moved, in requests for a crawl and in bytes for the others.
func throughputChart(id, tool string, rows []chartRow) chart {
	k := course{
		id: id, title: "Throughput over time",
		note:  "What was done each second. What an operation moves counts evenly over the time that it takes.",
		parts: fewParts,
	}
	if tool == "crawl" {
		k.unit, k.scaled = "requests/s", 1
		k.values = func(t traceFile) []float64 { return t.series.Operations }
	} else {
		k.values = func(t traceFile) []float64 { return t.series.Bytes }
		k.unit, k.scaled = byteUnit(rows)
	}
	k.mean = func(_ chartRow, mean float64) string { return "on average " + shortNumber(mean) + " " + k.unit }
	return courseChart(k, rows)
}

// byteUnit is the one in which the average of the fastest row is a number that one can read.
func byteUnit(rows []chartRow) (name string, bytes float64) {
	most := 0.0
	for _, r := range rows {
		if m := meanOf(r.trace.series.Bytes, r.trace.series); m > most {
			most = m
		}
	}
	name, bytes = "B/s", 1
	for _, next := range []string{"KiB/s", "MiB/s", "GiB/s"} {
		if most/bytes >= 1024 {
			name, bytes = next, bytes*1024
		}
	}
	return name, bytes
}

// meanOf returns the average over the whole time of a series.
func meanOf(values []float64, s tracedSeries) float64 {
	if len(values) == 0 {
		return 0
	}
	return downsample(values, s.Step, s.End, s.End, 1)[0]
}

func courseChart(k course, rows []chartRow) chart {
	end, step := 0.0, 0.0
	var said, means []string
	for _, r := range rows {
		own := r.trace.series
		if end = max(end, own.End); step == 0 || own.Step < step {
			step = own.Step
		}
		mean := k.mean(r, meanOf(k.values(r.trace), own)/k.scaled)
		means = append(means, mean)
		said = append(said, r.name+": "+mean)
	}
	c := newChart(k.id, k.title, k.note, strings.Join(said, "; ")+".", func(d *drawing) {
		most := k.parts
		if d.narrow() {
			most = min(most, mostParts/2)
		}
		values, top := k.sample(rows, end, parts(step, end, most))
		x := scale{max: end, from: d.gutter, to: d.width}
		height := min(max(320/float64(len(rows)), 40), 88)
		d.text("tick", "start", 0, d.y+d.font, k.unit)
		d.y += d.line()
		begin := d.y
		for i, r := range rows {
			d.heading(r, means[i])
			y := scale{max: top * 1.02, from: d.y + height, to: d.y + 4}
			d.valueAxis(y, d.gutter, shortNumber)
			d.path("area "+r.class, areaPath(values[i], x, y), means[i])
			d.y += height + 10
		}
		d.timeAxis(x, begin)
	})
	c.Tables = []dataTable{k.table(rows, end, parts(step, end, tableParts))}
	return c
}

// sample returns n values of each row over the time up to end, and the highest of all.
func (k course) sample(rows []chartRow, end float64, n int) (values [][]float64, top float64) {
	for _, r := range rows {
		s := r.trace.series
		own := downsample(k.values(r.trace), s.Step, s.End, end, n)
		for i := range own {
			own[i] /= k.scaled
		}
		values, top = append(values, own), max(top, slices.Max(own))
	}
	return values, top
}

func (k course) table(rows []chartRow, end float64, n int) dataTable {
	t := dataTable{Caption: k.unit, Head: []string{"from s"}}
	for _, r := range rows {
		t.Head = append(t.Head, r.name)
	}
	values, _ := k.sample(rows, end, n)
	for i := range n {
		row := []string{seconds6(float64(i) * end / float64(n))}
		for r := range rows {
			row = append(row, shortNumber(values[r][i]))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

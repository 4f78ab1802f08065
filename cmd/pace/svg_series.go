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
	var said []string
	for _, r := range rows {
		end = max(end, r.trace.series.End)
		if s := r.trace.series.Step; step == 0 || s < step {
			step = s
		}
	}
	means := make([]float64, len(rows))
	for i, r := range rows {
		means[i] = meanOf(k.values(r.trace), r.trace.series) / k.scaled
		said = append(said, r.name+": "+k.mean(r, means[i]))
	}
	sampled := func(n int) (of [][]float64, top float64) {
		for _, r := range rows {
			s := r.trace.series
			values := downsample(k.values(r.trace), s.Step, s.End, end, n)
			for i := range values {
				values[i] /= k.scaled
			}
			of, top = append(of, values), max(top, slices.Max(values))
		}
		return of, top
	}
	c := newChart(k.id, k.title, k.note, strings.Join(said, "; ")+".", func(d *drawing) {
		most := k.parts
		if d.narrow() {
			most = min(most, mostParts/2)
		}
		values, top := sampled(parts(step, end, most))
		x := scale{max: end, from: d.gutter, to: d.width}
		height := min(max(320/float64(len(rows)), 40), 88)
		d.text("tick", "start", 0, d.y+d.font, k.unit)
		d.y += d.line()
		begin := d.y
		for i, r := range rows {
			d.heading(r, k.mean(r, means[i]))
			y := scale{max: top * 1.02, from: d.y + height, to: d.y + 4}
			d.valueAxis(y, d.gutter, shortNumber)
			d.path("area "+r.class, areaPath(values[i], x, y), k.mean(r, means[i]))
			d.y += height + 10
		}
		d.timeAxis(x, begin)
	})
	n := parts(step, end, tableParts)
	values, _ := sampled(n)
	t := dataTable{Caption: k.unit, Head: []string{"from s"}}
	for _, r := range rows {
		t.Head = append(t.Head, r.name)
	}
	for i := range n {
		row := []string{seconds6(float64(i) * end / float64(n))}
		for k := range rows {
			row = append(row, shortNumber(values[k][i]))
		}
		t.Rows = append(t.Rows, row)
	}
	c.Tables = []dataTable{t}
	return c
}

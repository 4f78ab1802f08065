package main

import (
	"fmt"
	"math"
	"strings"
)

const latencyBins = 48

// latencyChart shows how long operations took: those of the trace as a histogram, and quantiles of the measured runs.
func latencyChart(id string, rows []chartRow) chart {
	low, high := math.Inf(1), 0.0
	var said []string
	for _, r := range rows {
		for _, took := range r.trace.took {
			low, high = min(low, took), max(high, took)
		}
		low, high = min(low, positive(r.LatencyMS.P50/1000)), max(high, r.LatencyMS.Max/1000)
		said = append(said, r.name+": "+r.quantiles())
	}
	if math.IsInf(low, 0) {
		low = 1e-6
	}
	low, high = max(low*0.9, 1e-7), max(high*1.1, low*2)
	histograms, top := make([][]float64, len(rows)), 0.0
	for i, r := range rows {
		histograms[i] = histogram(r.trace.took, low, high)
		for _, share := range histograms[i] {
			top = max(top, share)
		}
	}
	noun := operationNoun(rows)
	note := "How long one " + noun + " took, without waits for a rate; the axis is logarithmic. A mode that keeps many in " +
		"flight may take longer for each and still be done sooner."
	c := newChart(id, "How long one "+noun+" took", note, strings.Join(said, "; ")+".", func(d *drawing) {
		x := scale{min: low, max: high, from: 0, to: d.width, log: true}
		height := min(max(280/float64(len(rows)), 30), 64)
		for i, r := range rows {
			d.heading(r, r.quantiles())
			y := scale{max: top, from: d.y + height, to: d.y + 4}
			d.bins(r, histograms[i], x, y)
			d.rule("grid", 0, y.at(0), d.width, y.at(0))
			for _, q := range []float64{r.LatencyMS.P50, r.LatencyMS.P99} {
				if q > 0 {
					at := min(max(x.at(q/1000), 1), d.width-1)
					d.rule("quantile", at, d.y, at, d.y+height+4)
				}
			}
			d.y += height + 12
		}
		d.timeAxis(x, 0)
	})
	c.Legend = []legend{
		{"m ink", "share of the " + noun + "s in the traced run"}, {"quantile", "p50 and p99 of the measured runs"},
	}
	c.Tables = []dataTable{latencyTable(rows)}
	return c
}

// bins draws a histogram over a logarithmic scale.
func (d *drawing) bins(r chartRow, shares []float64, x, y scale) {
	for k, share := range shares {
		if share == 0 {
			continue
		}
		from, to := binStart(k, x.min, x.max), binStart(k+1, x.min, x.max)
		hint := fmt.Sprintf("%s took %s to %s", percentText(share), durationText(from), durationText(to))
		d.rect("m "+r.class, x.at(from), y.at(share)-1, max(x.at(to)-x.at(from)-1, 1), y.at(0)-y.at(share)+1, hint)
	}
}

// positive leaves 0, which stands for nothing measured, out of a minimum.
func positive(v float64) float64 {
	if v > 0 {
		return v
	}
	return math.Inf(1)
}

func (r chartRow) quantiles() string {
	return fmt.Sprintf("p50 %s · p99 %s", durationText(r.LatencyMS.P50/1000), durationText(r.LatencyMS.P99/1000))
}

func binStart(k int, low, high float64) float64 {
	return low * math.Pow(high/low, float64(k)/latencyBins)
}

// histogram returns the share of the operations in each bin, of equal width on a logarithmic scale.
func histogram(took []float64, low, high float64) []float64 {
	bins := make([]float64, latencyBins)
	for _, v := range took {
		k := int(latencyBins * math.Log(v/low) / math.Log(high/low))
		bins[min(max(k, 0), latencyBins-1)] += 1 / float64(len(took))
	}
	return bins
}

func latencyTable(rows []chartRow) dataTable {
	t := dataTable{Caption: "Milliseconds, medians of the measured runs", Head: []string{"mode", "p50", "p90", "p99", "most"}}
	for _, r := range rows {
		row := []string{r.name}
		for _, ms := range []float64{r.LatencyMS.P50, r.LatencyMS.P90, r.LatencyMS.P99, r.LatencyMS.Max} {
			row = append(row, fmt.Sprintf("%.3f", ms))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

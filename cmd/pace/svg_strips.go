package main

import (
	"fmt"
	"strings"
)

const (
	// How many operations of a row are shown. With more, one that runs at the same time as many others would be too thin.
	mostStripped = 60
	mostListed   = 200 // in the table
	stripHeight  = 200 // of a row at most
	allStrips    = 750 // of all rows together, if that leaves 66 for each
)

// stripChart shows the first operations of each row, one below the other in the order of their start.
func stripChart(id string, rows []chartRow) chart {
	height := min(stripHeight, max(allStrips/float64(len(rows)), 66))
	strips := make([][]tracedOperation, len(rows))
	end, most := 0.0, 0
	var said []string
	for i, r := range rows {
		strips[i] = r.trace.operations[:min(mostStripped, len(r.trace.operations))]
		last := 0.0
		for _, o := range strips[i] {
			last = max(last, o.End)
		}
		end, most = max(end, last), max(most, len(strips[i]))
		said = append(said, fmt.Sprintf("%s: %s in %s", r.name, countOf(int64(len(strips[i])), "operation"), durationText(last)))
	}
	note := "Each line is one " + operationNoun(rows) + ", from its start to its end, in the order of their starts. A " +
		"staircase is one after another; lines above each other run at once. The time is the same for all."
	if all := rows[0].trace.Operations; all > int64(most) {
		note += fmt.Sprintf(" These are the first %d.", most)
	}
	c := newChart(id, "The first operations, one by one", note, strings.Join(said, "; ")+".", func(d *drawing) {
		x := scale{max: end, from: 0, to: d.width}
		step := min(height/float64(max(most, 1)), 11)
		for i, r := range rows {
			d.heading(r, failedText(strips[i]))
			d.strip(r, strips[i], x, step)
			d.y += 10
		}
		d.timeAxis(x, 0)
	})
	c.Tables = stripTables(rows)
	return c
}

// strip draws operations, each a step below the one before.
func (d *drawing) strip(r chartRow, ops []tracedOperation, x scale, step float64) {
	height := step * 0.82
	if step > 4 {
		height = step - 2
	}
	for _, o := range ops {
		class, hint := "m "+r.class, ""
		if o.Error != "" {
			class = "bad"
		}
		if !d.narrow() { // where a finger has no place to rest
			hint = operationHint(o)
		}
		d.rect(class, x.at(o.Start), d.y, max(x.at(o.End)-x.at(o.Start), 0.8), height, hint)
		d.y += step
	}
}

// operationNoun is what an operation of the work is.
func operationNoun(rows []chartRow) string {
	for _, r := range rows {
		for _, o := range r.trace.operations {
			switch o.Kind {
			case "fetch", "request":
				return "request"
			case "chunk", "hash", "read", "write":
				return "chunk"
			}
		}
	}
	return "operation"
}

func failedText(ops []tracedOperation) string {
	failed := 0
	for _, o := range ops {
		if o.Error != "" {
			failed++
		}
	}
	if failed == 0 {
		return ""
	}
	return fmt.Sprintf("%d failed", failed)
}

func operationHint(o tracedOperation) string {
	text := fmt.Sprintf("%s %s: %s, from %s", o.Kind, clipMiddle(o.Item, 120), durationText(o.End-o.Start), durationText(o.Start))
	if o.Worker != nil {
		text += fmt.Sprintf(", worker %d", *o.Worker)
	}
	if o.Error != "" {
		text += ": " + clipMiddle(o.Error, 120)
	}
	return text
}

// clipMiddle leaves out what is too much between the ends of a text: both tell URLs and paths apart.
func clipMiddle(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	half := most/2 - 1
	return string(runes[:half]) + "…" + string(runes[len(runes)-half:])
}

func stripTables(rows []chartRow) []dataTable {
	most := max(min(mostListed, 2400/len(rows)), mostStripped)
	var tables []dataTable
	for _, r := range rows {
		t := dataTable{
			Caption: r.name, Head: []string{"start s", "end s", "worker", "thread", "kind", "item", "offset", "bytes", "error"},
		}
		for _, o := range r.trace.operations[:min(most, len(r.trace.operations))] {
			worker, thread := "", ""
			if o.Worker != nil {
				worker = fmt.Sprint(*o.Worker)
			}
			if o.Thread != 0 {
				thread = fmt.Sprint(o.Thread)
			}
			t.Rows = append(t.Rows, []string{
				seconds6(o.Start), seconds6(o.End), worker, thread, o.Kind, clipMiddle(o.Item, 200), fmt.Sprint(o.Offset),
				fmt.Sprint(o.Bytes), clipMiddle(o.Error, 200),
			})
		}
		tables = append(tables, t)
	}
	return tables
}

func seconds6(v float64) string { return fmt.Sprintf("%.6f", v) }

package main

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the template and the style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

var (
	//go:embed html/report.html.tmpl
	pageText string
	//go:embed html/report.css
	styleText string

	pageTemplate = template.Must(template.New("report").Parse(pageText))
)

func htmlFlag(group, cost string, path *string) cli.Flag {
	return valueFlag(group, "html", "write a report with pictures to `FILE`, a page that loads nothing; - is stdout, instead "+
		"of the tables"+cost, into(path, textKind, ""))
}

// writeHTML writes the report of comparisons to a file, or to stdout for "-".
func writeHTML(path string, stdout io.Writer, title string, comparisons []comparison) error {
	text, err := htmlReport(title, comparisons)
	if err == nil {
		err = writeText(path, stdout, text)
	}
	if err != nil {
		return fmt.Errorf("cannot write the HTML: %w", err)
	}
	return nil
}

// page is a report for the eye: one file that asks for nothing.
type page struct {
	Policy   string // what the browser may load and run: the style, and nothing else
	Style    template.CSS
	Title    string
	Made     string
	Sections []section
	Machine  []pair
}

// section is one comparison.
type section struct {
	ID       string
	Title    string
	Command  string
	Bound    string
	Headline string // the verdict's first sentence
	Verdict  string // the rest of it
	Warnings []string
	Charts   []chart
	Tables   []dataTable
	Runs     string
}

// pair is a line of a list of properties.
type pair struct{ Name, Value string }

// dataTable is the data behind a picture.
type dataTable struct {
	Caption string
	Head    []string
	Rows    [][]string
}

// htmlReport returns the report of comparisons, of which there is at least one, each with its traces.
func htmlReport(title string, comparisons []comparison) ([]byte, error) {
	sum := sha256.Sum256([]byte(styleText))
	p := page{
		Policy: "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'sha256-" +
			base64.StdEncoding.EncodeToString(sum[:]) + "'",
		Style: template.CSS(styleText), // ours: nothing of it is from outside
		Title: title, Made: madeText(comparisons[0].Started), Machine: machinePairs(comparisons[0].Machine),
	}
	for i, c := range comparisons {
		p.Sections = append(p.Sections, newSection(fmt.Sprintf("part-%d", i+1), c))
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, p)
	return b.Bytes(), err
}

func newSection(id string, c comparison) section {
	first, rest := splitSentence(c.Verdict.Text)
	s := section{
		ID: id, Title: c.Title, Command: "pace " + commandText(c.Command), Bound: string(c.Verdict.Bound),
		Headline: first, Verdict: rest, Warnings: c.Warnings,
		Tables: []dataTable{tableOf("How fast", c.speedTable()), tableOf("Why", c.causeTable())},
		Runs: fmt.Sprintf("Medians of %s of each row, after %s. The pictures over time are of one more run of each row, with "+
			"a trace; its time is in no figure.", countOf(int64(c.Runs), "run"), countOf(int64(c.Warmup), "warm-up run")),
	}
	if c.Title != "" {
		s.Headline, s.Verdict, s.Warnings = c.sentence(), "", nil // demo knows how often it runs what
		if text := othersWarning(c.OtherCPUShare); text != "" {
			s.Warnings = []string{text}
		}
	} else {
		s.Title = "What was compared"
	}
	rows := chartRows(c)
	s.Charts = append(s.Charts, wallChart(id+"-wall", rows))
	if swept(rows) {
		s.Charts = append(s.Charts, speedupChart(id+"-speedup", rows))
	}
	if len(c.traces) == len(rows) {
		s.Charts = append(s.Charts, stripChart(id+"-strips", rows), inFlightChart(id+"-flight", rows),
			throughputChart(id+"-throughput", c.Tool, rows))
	}
	s.Charts = append(s.Charts, cpuChart(id+"-cpu", rows))
	if len(c.traces) == len(rows) {
		s.Charts = append(s.Charts, latencyChart(id+"-latency", rows))
	}
	return s
}

// splitSentence returns the first sentence of a text, and the others.
func splitSentence(text string) (first, rest string) {
	first, rest, found := strings.Cut(text, ". ")
	if found {
		first += "."
	}
	return first, rest
}

// tableOf is a table as the terminal has it.
func tableOf(caption string, t table) dataTable {
	return dataTable{Caption: caption, Head: t[0], Rows: t[1:]}
}

func machinePairs(m machine) []pair {
	var pairs []pair
	add := func(name, value string) {
		if strings.TrimSpace(value) != "" {
			pairs = append(pairs, pair{name, value})
		}
	}
	add("Processor", m.CPUModel)
	add("Cores", fmt.Sprint(m.Cores))
	if m.MemoryBytes > 0 {
		add("Memory", bytesText(float64(m.MemoryBytes)))
	}
	add("System", strings.TrimSpace(m.OS+" "+m.Kernel+" "+m.Arch))
	add("pace", m.PaceVersion)
	add("Go", m.GoVersion)
	return pairs
}

// madeText writes a time for a person.
func madeText(started string) string {
	at, err := time.Parse(time.RFC3339Nano, started)
	if err != nil {
		return started
	}
	return at.Format("2 January 2006, 15:04 MST")
}

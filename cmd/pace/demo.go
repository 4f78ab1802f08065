package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"pace/limiter"
)

const demoName = "demo"

// demoFlags is what the command line of demo says.
type demoFlags struct {
	std    streams
	report string
	html   string
	size   demoSize
}

// demoResult is what demo found, as its --report writes it.
type demoResult struct {
	Machine     machine      `json:"machine"`
	Started     string       `json:"started"` // RFC 3339
	WallSeconds float64      `json:"wall_seconds"`
	Comparisons []comparison `json:"comparisons"` // each with a title
}

func demoCommand(std streams) *cli.Command {
	f := &demoFlags{std: std, size: fullDemo}
	return &cli.Command{
		Name:      demoName,
		HideHelp:  true,
		Usage:     "show in a minute what each mode gains on this machine",
		UsageText: "pace demo [flags]",
		Description: `
Does five pieces of work in each mode, each run a process of its own as with
pace compare: pages that take a second, a site with latency, a download from a
server that slows each connection, a copy of a file, and hashing. The servers
run inside, on the loopback network; files are in a temporary folder ($TMPDIR)
and are deleted. It takes less than a minute, no network and 400 MB.

Examples:
  pace demo
  pace demo --html demo.html
  pace demo --report demo.json`,
		Flags: []cli.Flag{
			valueFlag(groupShow, "report", "write all figures as JSON to `FILE`; - is stdout, instead of the tables",
				into(&f.report, textKind, "")),
			htmlFlag(groupShow, "; it takes half as long again", &f.html),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return operandsError(demoName, fmt.Sprintf("takes no operand, and got %q", c.Args().First()))
			}
			return f.demo(c.Context)
		},
	}
}

// demo runs all parts and shows each as soon as it is done.
func (f *demoFlags) demo(ctx context.Context) error {
	if f.report == "-" && f.html == "-" {
		return usagef(demoName, "the report and the HTML cannot both go to stdout")
	}
	for _, path := range []string{f.report, f.html} {
		if err := checkReport(path); err != nil {
			return err
		}
	}
	out := f.std.stdout
	if f.report == "-" || f.html == "-" {
		out = io.Discard
	}
	result, err := f.runAll(ctx, out)
	if err != nil {
		return err
	}
	if f.report != "" {
		if err := writeReport(f.report, f.std.stdout, result); err != nil {
			return fmt.Errorf("cannot write the report: %w", err)
		}
	}
	if f.html != "" {
		if err := writeHTML(f.html, f.std.stdout, "pace demo", result.Comparisons); err != nil {
			return err
		}
	}
	if text := othersWarning(result.busiest()); text != "" {
		_, _ = fmt.Fprintf(f.std.stderr, "pace: warning: %s\n", text)
	}
	_, err = fmt.Fprintf(out, "It took %s. For work of your own: pace compare -- copy|crawl|verify ARGS...\n",
		secondsText(result.WallSeconds))
	return err
}

// busiest returns the most that other programs used of the CPUs in one of the parts.
func (r demoResult) busiest() float64 {
	most := 0.0
	for _, c := range r.Comparisons {
		most = max(most, c.OtherCPUShare)
	}
	return most
}

func (f *demoFlags) runAll(ctx context.Context, out io.Writer) (demoResult, error) {
	began := time.Now()
	result := demoResult{Machine: thisMachine(), Started: nowText()}
	status := newScreen(f.std.stderr)
	if !isTerminal(f.std.stderr) {
		status = nil
	}
	s, err := openStage(f.size)
	if err != nil {
		return result, err
	}
	defer s.close()
	for i, p := range s.parts() {
		c, err := f.compare(ctx, p, status)
		if err != nil {
			return result, err
		}
		result.Comparisons = append(result.Comparisons, c)
		if _, err := io.WriteString(out, c.short(i+1)+"\n"); err != nil {
			return result, err
		}
	}
	result.WallSeconds = time.Since(began).Seconds()
	return result, nil
}

func (f *demoFlags) compare(ctx context.Context, p demoPart, status *screen) (comparison, error) {
	w, err := work(f.std, p.command, nil)
	if err != nil {
		return comparison{}, err
	}
	w.title = p.title
	if p.prepare != nil {
		if err := p.prepare(ctx); err != nil {
			return comparison{}, err
		}
	}
	r := rounds{
		rows: settings(limiter.Modes, nil), runs: p.runs, warmup: p.warmup, traced: f.html != "", title: p.title,
	}
	return compareAll(ctx, w, r, around{}, status)
}

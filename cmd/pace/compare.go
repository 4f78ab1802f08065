package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"pace/limiter"
)

const compareName = "compare"

// comparedTools are the commands that compare takes.
var comparedTools = []string{"copy", "crawl", "verify"}

// compareFlags is what the command line of compare says.
type compareFlags struct {
	std    streams
	runs   int
	warmup int
	modes  []limiter.Mode
	report string
}

var modesKind = kind[[]limiter.Mode]{
	usage: "use for example sequential,async", words: modeNames(), parse: parseModes,
}

func parseModes(s string) ([]limiter.Mode, error) {
	var modes []limiter.Mode
	for name := range strings.SplitSeq(s, ",") {
		mode, err := modeKind.parse(strings.TrimSpace(name))
		if err != nil {
			return nil, fmt.Errorf("%q is %w", name, err)
		}
		if slices.Contains(modes, mode) {
			return nil, fmt.Errorf("%s stands twice", mode)
		}
		modes = append(modes, mode)
	}
	return modes, nil
}

func compareCommand(std streams) *cli.Command {
	f := &compareFlags{std: std}
	const how, show = "How often, and what", "What is shown"
	return &cli.Command{
		Name:     compareName,
		HideHelp: true,
		Usage:    "do the same work in each mode and say which is fastest",
		UsageText: "pace compare [flags] -- copy [flags] SRC DST\npace compare [flags] -- crawl [flags] URL...\n" +
			"pace compare [flags] -- verify [flags] SRC DST",
		Description: `
Runs the command after -- once in each mode, again and again, each run a process
of its own, and prints the medians with a verdict. A copy goes to fresh names
beside DST, which are deleted; DST itself must not exist and is never touched.
The records of a crawl are thrown away; what --warc, --mirror and --graph write
goes to fresh names beside the given ones, and is deleted too.

Examples:
  pace compare -- copy big.iso /mnt/backup/big.iso
  pace compare --runs 3 --modes sequential,async -- crawl --depth 0 URL...
  pace compare -- verify --hash sha256 big.iso /mnt/backup/big.iso`,
		Flags: []cli.Flag{
			valueFlag(how, "runs", "measure each mode `N` times", into(&f.runs, countKind(1, 1000, "5"), "5")),
			valueFlag(how, "warmup", "first run each mode `N` times without measuring",
				into(&f.warmup, countKind(0, 1000, "1"), "1")),
			valueFlag(how, "modes", "compare `MODES`, the others with the first",
				into(&f.modes, modesKind, strings.Join(modeNames(), ","))),
			valueFlag(show, "report", "write all figures as JSON to `FILE`; - is stdout, instead of the table",
				into(&f.report, textKind, "")),
		},
		Action: func(c *cli.Context) error {
			work, err := f.work(c.Args().Slice())
			if err != nil {
				return err
			}
			return f.compare(c.Context, work)
		},
	}
}

// compared is the command that every run repeats.
type compared struct {
	tool     string
	flags    []string
	operands []string
	dest     string // where a copy was asked to go; empty for the others
}

// work checks the command after "--" before anything runs.
func (f *compareFlags) work(args []string) (compared, error) {
	if len(args) == 0 {
		return compared{}, operandsError(compareName, "no command after --")
	}
	if !slices.Contains(comparedTools, args[0]) {
		return compared{}, usagef(compareName, "%q: cannot be compared; use %s", args[0], orList(comparedTools))
	}
	a, err := parseArgs(newApp(f.std), args)
	if err != nil {
		return compared{}, err
	}
	if a.help {
		return compared{}, usagef(compareName, "nothing to compare in --help; see pace %s --help", args[0])
	}
	own := []string{"--mode", "--report", "--progress", "--quiet"}
	if args[0] == "crawl" {
		own = append(own, "--output")
	}
	for _, given := range a.flags {
		name, value, _ := strings.Cut(given, "=")
		if slices.Contains(own, name) {
			return compared{}, usagef(compareName, "%s is compare's own: it sets it for each run", name)
		}
		if name == "--input" && value == "-" {
			return compared{}, usagef(compareName, "--input - can be read only once; put the URLs into a file")
		}
		if name == "--state" {
			return compared{}, usagef(compareName, "--state is not compared: only the first run would have something to do")
		}
		if name == "--cookie-jar" {
			return compared{}, usagef(compareName, "--cookie-jar is not compared: runs would hand cookies on")
		}
		if name == "--manifest" {
			return compared{}, usagef(compareName, "--manifest is not compared: give verify a SRC and a DST")
		}
	}
	w := compared{tool: args[0], flags: a.flags, operands: a.operands}
	if w.tool == "copy" {
		return w.withDest()
	}
	return w, nil
}

// withDest takes the destination from the operands: each run has one of its own instead.
func (w compared) withDest() (compared, error) {
	for _, given := range w.flags {
		if strings.HasPrefix(given, "--target-directory") {
			return w, usagef(compareName, "-t is not compared: give SRC and a DST that does not exist")
		}
	}
	if len(w.operands) != 2 {
		return w, usagef(compareName, "copy needs one SRC and one DST here, and got %d names", len(w.operands))
	}
	w.dest = filepath.Clean(w.operands[1])
	w.operands = w.operands[:1]
	if _, err := os.Lstat(w.dest); !errors.Is(err, os.ErrNotExist) {
		if err == nil {
			err = errors.New("it exists")
		}
		return w, usagef(compareName, "%s: %v; name a destination that does not exist, for compare to copy beside",
			w.dest, err)
	}
	return w, nil
}

// compare runs everything, prints the table and writes the report.
func (f *compareFlags) compare(ctx context.Context, w compared) error {
	if err := checkReport(f.report); err != nil {
		return err
	}
	status := newScreen(f.std.stderr)
	if !isTerminal(f.std.stderr) {
		status = nil
	}
	runs, err := f.runAll(ctx, w, status)
	if err != nil {
		return err
	}
	result := newComparison(w, f.modes, runs)
	if f.report != "" {
		if err := writeReport(f.report, f.std.stdout, result); err != nil {
			return fmt.Errorf("cannot write the report: %w", err)
		}
	}
	if f.report == "-" {
		return nil
	}
	return result.print(f.std.stdout)
}

// runAll measures every mode, in turns, so that what changes on the machine meanwhile meets all modes alike.
func (f *compareFlags) runAll(ctx context.Context, w compared, status *screen) (map[limiter.Mode][]report, error) {
	child, err := newChild(w)
	if err != nil {
		return nil, err
	}
	defer child.cleanUp()
	defer status.erase()
	runs := make(map[limiter.Mode][]report)
	for round := range f.warmup + f.runs {
		for i, mode := range f.modes {
			what := fmt.Sprintf("run %d/%d", (round-f.warmup)*len(f.modes)+i+1, f.runs*len(f.modes))
			if round < f.warmup {
				what = fmt.Sprintf("warm-up %d/%d", round*len(f.modes)+i+1, f.warmup*len(f.modes))
			}
			status.draw(what + ": " + mode.String())
			r, err := child.run(ctx, mode)
			if err != nil {
				return nil, err
			}
			if round >= f.warmup {
				runs[mode] = append(runs[mode], r)
			}
		}
	}
	return runs, nil
}

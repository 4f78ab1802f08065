package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"pace/limiter"
)

const compareName = "compare"

// comparedTools are the commands that compare takes.
var comparedTools = []string{"copy", "crawl", "verify"}

// compareFlags is what the command line of compare says.
type compareFlags struct {
	std          streams
	runs, warmup int
	modes        []limiter.Mode
	workers      []string
	around
	report, markdown, html string
}

func compareCommand(std streams) *cli.Command {
	f := &compareFlags{std: std}
	const how, between, show = "How often, and what", "Before and after each run", "What is shown"
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

The first table says how fast each row was: the median, with the standard
deviation of the runs, and how many times as fast as the first row, with a 95 %
interval. The second says why: the share of all CPUs that was used, the share
of the time that they stood idle, OS threads, context switches (voluntary/
involuntary), memory, and how long one chunk or request took. Rows differ where
both that interval and a rank test (Mann-Whitney, p < 0.05) say so and it is by
2 % or more; of fewer than four runs, where these do not overlap and are apart
by half or more.

Examples:
  pace compare -- copy big.iso /mnt/backup/big.iso
  pace compare --runs 3 --modes sequential,async -- crawl --depth 0 URL...
  pace compare --html report.html -- crawl --rate 0 --per-host 0 URL
  pace compare --modes async --workers-list 1,2,4,8,16 -- copy URL file
  pace compare --drop-caches -- verify --hash sha256 big.iso /mnt/backup/big.iso
  pace compare --prepare 'mount /mnt' --cleanup 'umount /mnt' -- copy a /mnt/b`,
		Flags: []cli.Flag{
			valueFlag(how, "runs", "measure each row `N` times", into(&f.runs, countKind(1, 1000, "5"), "5")),
			valueFlag(how, "warmup", "first run each row `N` times without measuring",
				into(&f.warmup, countKind(0, 1000, "1"), "1")),
			valueFlag(how, "modes", "compare `MODES`, the others with the first; one may stand twice",
				into(&f.modes, modesKind, strings.Join(modeNames(), ","))),
			valueFlag(how, "workers-list", "run each mode with each number of workers in `LIST`, for example 1,2,4,8 or 4,auto",
				into(&f.workers, workersListKind, "")),
			valueFlag(between, "prepare", "have the shell run `COMMAND` before each run, warm-ups too; if it fails, all stops",
				into(&f.prepare, textKind, "")),
			valueFlag(between, "cleanup", "have the shell run `COMMAND` after each run, also one that fails or is interrupted",
				into(&f.cleanup, textKind, "")),
			switchFlag(between, "drop-caches", "before each run, drop the files that are read from memory", &f.drop.files),
			switchFlag(between, "drop-all-caches", "before each run, drop all files from memory; only root may", &f.drop.all),
			valueFlag(show, "report", "write all figures as JSON to `FILE`; - is stdout, instead of the tables",
				into(&f.report, textKind, "")),
			valueFlag(show, "markdown", "write the tables as Markdown to `FILE`; - is stdout, instead of the tables",
				into(&f.markdown, textKind, "")),
			htmlFlag(show, "; each row is run once more for it", &f.html),
		},
		Action: func(c *cli.Context) error {
			var own []string
			if len(f.workers) > 0 {
				own = append(own, "--workers")
			}
			w, err := work(f.std, c.Args().Slice(), own)
			if err != nil {
				return err
			}
			return f.compare(c.Context, w)
		},
	}
}

// compare runs everything, prints the tables and writes the reports.
func (f *compareFlags) compare(ctx context.Context, w compared) error {
	if err := f.checkStdout(); err != nil {
		return err
	}
	if err := f.drop.check(w); err != nil {
		return err
	}
	for _, path := range []string{f.report, f.markdown, f.html} {
		if err := checkReport(path); err != nil {
			return err
		}
	}
	status := newScreen(f.std.stderr)
	if !isTerminal(f.std.stderr) {
		status = nil
	}
	f.interactive = isTerminal(f.std.stdin)
	r := rounds{rows: settings(f.modes, f.workers), runs: f.runs, warmup: f.warmup, traced: f.html != ""}
	result, err := compareAll(ctx, w, r, f.around, status)
	if err != nil {
		return err
	}
	return f.show(result)
}

// checkStdout refuses two reports on stdout.
func (f *compareFlags) checkStdout() error {
	var to []string
	for _, out := range []namedFile{
		{what: "the report", path: f.report}, {what: "the Markdown", path: f.markdown}, {what: "the HTML", path: f.html},
	} {
		if out.path == "-" {
			to = append(to, out.what)
		}
	}
	if len(to) > 1 {
		return usagef(compareName, "%s and %s cannot both go to stdout", to[0], to[1])
	}
	return nil
}

// compareAll measures the work and says what was found.
func compareAll(ctx context.Context, w compared, r rounds, a around, status *screen) (comparison, error) {
	child, err := newChild(w, a)
	if err != nil {
		return comparison{}, err
	}
	defer child.cleanUp()
	started := nowText()
	runs, err := r.measure(ctx, status, child.run)
	if err != nil {
		return comparison{}, err
	}
	result := newComparison(w, r, runs)
	result.Started = started
	result.OtherCPUShare = child.share(result.Machine.Cores)
	if text := othersWarning(result.OtherCPUShare); text != "" {
		result.Warnings = append(result.Warnings, text)
	}
	if r.traced {
		result.traces, err = child.traceEach(ctx, r.rows, status)
	}
	return result, err
}

// show writes what was asked for.
func (f *compareFlags) show(result comparison) error {
	for _, text := range result.Warnings {
		_, _ = fmt.Fprintf(f.std.stderr, "pace: warning: %s\n", escape(text))
	}
	if f.report != "" {
		if err := writeReport(f.report, f.std.stdout, result); err != nil {
			return fmt.Errorf("cannot write the report: %w", err)
		}
	}
	if f.markdown != "" {
		if err := writeText(f.markdown, f.std.stdout, []byte(result.markdown())); err != nil {
			return fmt.Errorf("cannot write the tables: %w", err)
		}
	}
	if f.html != "" {
		if err := writeHTML(f.html, f.std.stdout, "pace compare", []comparison{result}); err != nil {
			return err
		}
	}
	if f.report == "-" || f.markdown == "-" || f.html == "-" {
		return nil
	}
	return result.print(f.std.stdout)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"pace/limiter"
	"pace/limiter/progress"
)

// when is a choice of when the bar is drawn.
type when int

const (
	whenTerminal when = iota
	always
	never
)

const (
	maxWorkers = 1_000_000 // what a progress.Counter can count at once
	maxProcs   = 32        // see raiseProcs
)

var (
	modeKind     = choice("mode", modeNames(), limiter.Modes)
	progressKind = choice("choice", []string{"auto", "always", "never"}, []when{whenTerminal, always, never})
	levelKind    = choice("level", []string{"error", "warn", "info", "debug"},
		[]slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug})
)

func modeNames() []string {
	var names []string
	for _, m := range limiter.Modes {
		names = append(names, m.String())
	}
	return names
}

// job is what every working command has in common: its flags, and what stands around a run of its library.
type job struct {
	tool string
	unit unit
	std  streams

	mode     limiter.Mode
	workers  int // 0 for the tool's default, or autoWorkers
	mostAuto int // workers
	report   string
	trace    string
	progress when
	quiet    bool
	level    slog.Level

	resume string // the command that goes on after an interruption, where the tool's own words do not tell it
}

// The groups of flags that working commands share.
const (
	groupHow  = "How the work is driven"
	groupShow = "What is shown"
)

// autoWorkers stands for the number of workers that is found while they work.
const autoWorkers = -1

// workersKind is a number of workers, or auto.
var workersKind = kind[int]{usage: "use for example 8, or auto", words: []string{"auto"}, parse: func(s string) (int, error) {
	if strings.EqualFold(s, "auto") {
		return autoWorkers, nil
	}
	return countKind(1, maxWorkers, "8").parse(s)
}}

// howFlags takes the default numbers of workers, as text, and the most that auto goes up to.
func (j *job) howFlags(workers string, mostAuto int) []cli.Flag {
	return []cli.Flag{
		valueFlag(groupHow, "mode", "drive operations in `MODE`: sequential, threads or async",
			into(&j.mode, modeKind, "async")),
		valueFlag(groupHow, "workers", "keep `N` operations in flight; sequential has one; auto finds how many are "+
			"worth it"+workers, into(&j.workers, workersKind, "")),
		valueFlag(groupHow, "max-workers", "--workers auto goes up to `N`",
			into(&j.mostAuto, countKind(1, maxWorkers, "8"), strconv.Itoa(mostAuto))),
	}
}

func (j *job) showFlags() []cli.Flag {
	return []cli.Flag{
		valueFlag(groupShow, "report", "write the run's report as JSON to `FILE`; - is stdout",
			into(&j.report, textKind, "")),
		valueFlag(groupShow, "trace", "write each chunk or request to `FILE`, a JSON object a line: when, which worker and "+
			"thread, what of; the first 100,000, and a last line with the course of all", into(&j.trace, traceKind, "")),
		valueFlag(groupShow, "progress", "when to draw a bar on stderr: `WHEN` is auto (on a terminal), always or never",
			into(&j.progress, progressKind, "auto")),
		switchFlag(groupShow, "quiet", "no bar, no summary, no warnings; errors are still named", &j.quiet),
		valueFlag(groupShow, "log-level", "log from `LEVEL` on: error, warn, info or debug",
			into(&j.level, levelKind, "warn")),
	}
}

// running is what a command's library is given.
type running struct {
	screen  *screen
	counter *progress.Counter
	log     *slog.Logger
}

// run measures and shows one run of a library, and writes its report. The error is what ended the run, or an *exitError.
func (j *job) run(ctx context.Context, library func(context.Context, running) (outcome, error)) error {
	if err := checkReport(j.report); err != nil {
		return err
	}
	if err := checkWritable("trace", j.trace); err != nil {
		return err
	}
	screen := newScreen(j.std.stderr)
	level := j.level
	if j.quiet {
		level = max(level, slog.LevelError)
	}
	logged := newLineHandler(screen, level)
	r := running{screen: screen, counter: progress.New(), log: slog.New(logged)}
	var trace *progress.Trace
	if j.trace != "" {
		trace = r.counter.Trace(progress.TraceLimit)
	}
	machineCPUs := usableByProcess()
	j.raiseProcs()
	var drawer *bar
	if !j.quiet && (j.progress == always || j.progress == whenTerminal && isTerminal(j.std.stderr)) {
		drawer = startBar(screen, r.counter, j.unit)
	}

	meter := startMeter()
	o, err := library(ctx, r)
	measured := meter.stop()
	drawer.stop()

	err = inCommand(j.tool, err)
	if exitCode(err) == exitUsage {
		return err
	}
	rep := newReport(j.tool, j.mode, o, measured, machineCPUs)
	if !j.quiet {
		_, _ = screen.Write([]byte(summary(rep, j.unit, err, j.resume)))
	}
	if trace != nil {
		if traceErr := writeTrace(j.trace, trace, rep); traceErr != nil && err == nil {
			err = traceErr
		}
	}
	err = j.end(rep, err)
	if line := errorLine(err); line != "" && logged.told(line) {
		return &exitError{code: exitCode(err)}
	}
	return err
}

// end writes the report and returns how the run ended.
func (j *job) end(rep report, err error) error {
	if j.report != "" {
		if writeErr := writeReport(j.report, j.std.stdout, rep); writeErr != nil && err == nil {
			err = fmt.Errorf("cannot write the report: %w", writeErr)
		}
	}
	if err == nil && (rep.ItemsFailed > 0 || rep.linksFailed > 0 || rep.failedElsewhere > 0 || len(rep.BrokenLinks) > 0) {
		return &exitError{code: exitItemsFailed}
	}
	return err
}

// raiseProcs lets the kernel schedule the threads of threads mode. Otherwise every thread that blocks in a system call
// has its P retaken by the runtime first. More than 32 gain nothing, and cost spare threads: with 1,000, 1,000 workers
// had 1,600 OS threads. The owner of a ring is always in a system call, too short for the runtime to take its P: it gets
// one more, so that those whom it wakes need not wait for it. Goroutines that crawl are in such calls for half of their
// time: with twice the Ps a crawl of a near server was a tenth faster.
func (j *job) raiseProcs() {
	switch procs := runtime.GOMAXPROCS(0); {
	case j.mode == limiter.Threads:
		if n := min(j.mostWorkers(), maxProcs); n > procs {
			runtime.GOMAXPROCS(n)
		}
	case j.mode == limiter.Async && j.tool == "copy":
		runtime.GOMAXPROCS(procs + 1)
	case j.mode == limiter.Async && j.tool == "crawl":
		runtime.GOMAXPROCS(2 * procs)
	}
}

// mostWorkers is how many there can be.
func (j *job) mostWorkers() int {
	if j.workers == autoWorkers {
		return j.mostAuto
	}
	return j.workers
}

// fixedWorkers is what the options of a library have as Workers.
func (j *job) fixedWorkers() int { return max(j.workers, 0) }

func checkReport(path string) error {
	if path == "-" {
		return nil
	}
	return checkWritable("report", path)
}

// checkWritable finds a folder that is not there before the work instead of after it.
func checkWritable(what, path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("cannot write the %s: %s is a folder", what, path)
	}
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a folder")}
	}
	if err != nil {
		return fmt.Errorf("cannot write the %s: %w", what, err)
	}
	return nil
}

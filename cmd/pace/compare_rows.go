package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pace/limiter"
)

// autoWord is what a command's --workers takes to find the number by itself.
const autoWord = "auto"

// setting is how a row of the comparison is run.
type setting struct {
	mode    limiter.Mode
	workers string // the value of --workers; empty for the tool's default
}

func (s setting) String() string {
	if s.workers == "" {
		return s.mode.String()
	}
	return s.mode.String() + " with --workers " + s.workers
}

var (
	modesKind = kind[[]limiter.Mode]{
		usage: "use for example sequential,async", words: modeNames(), parse: parseModes,
	}
	workersListKind = kind[[]string]{usage: "use for example 1,2,4,8 or 4,auto", parse: parseWorkersList}
)

func parseModes(s string) ([]limiter.Mode, error) {
	var modes []limiter.Mode
	for name := range strings.SplitSeq(s, ",") {
		mode, err := modeKind.parse(strings.TrimSpace(name))
		if err != nil {
			return nil, fmt.Errorf("%q is %w", name, err)
		}
		modes = append(modes, mode)
	}
	return modes, nil
}

func parseWorkersList(s string) ([]string, error) {
	var list []string
	for word := range strings.SplitSeq(s, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		if word != autoWord {
			n, err := countKind(1, maxWorkers, "").parse(word)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", word, err)
			}
			word = fmt.Sprint(n)
		}
		if slices.Contains(list, word) {
			return nil, errors.New(word + " stands twice")
		}
		list = append(list, word)
	}
	return list, nil
}

// settings returns the rows: each mode with each number of workers, but sequential, which has one, once.
func settings(modes []limiter.Mode, workers []string) []setting {
	var rows []setting
	for _, mode := range modes {
		if mode == limiter.Sequential || len(workers) == 0 {
			rows = append(rows, setting{mode: mode})
			continue
		}
		for _, n := range workers {
			rows = append(rows, setting{mode, n})
		}
	}
	return rows
}

// rounds says how often each row is run.
type rounds struct {
	rows         []setting
	runs, warmup int
	traced       bool   // one more run of each row tells what it did when
	title        string // of the work, for the status line; may be empty
}

// runFunc does the work once.
type runFunc = func(context.Context, setting) (report, error)

// measure runs every row, in turns, so that what changes on the machine meanwhile meets all rows alike. It returns the
// runs of each row, without those to warm up.
func (r rounds) measure(ctx context.Context, status *screen, run runFunc) ([][]report, error) {
	defer status.erase()
	runs := make([][]report, len(r.rows))
	for round := range r.warmup + r.runs {
		for i, row := range r.rows {
			what := fmt.Sprintf("run %d/%d", (round-r.warmup)*len(r.rows)+i+1, r.runs*len(r.rows))
			if round < r.warmup {
				what = fmt.Sprintf("warm-up %d/%d", round*len(r.rows)+i+1, r.warmup*len(r.rows))
			}
			if r.title != "" {
				what = r.title + ": " + what
			}
			status.draw(what + ": " + row.String())
			one, err := run(ctx, row)
			if err != nil {
				return nil, err
			}
			if round >= r.warmup {
				runs[i] = append(runs[i], one)
			}
		}
	}
	return runs, nil
}

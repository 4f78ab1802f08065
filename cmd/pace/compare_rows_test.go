package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

func TestSettings(t *testing.T) {
	seq, thr, asy := limiter.Sequential, limiter.Threads, limiter.Async
	for _, test := range []struct {
		modes   []limiter.Mode
		workers []string
		want    []setting
	}{
		{[]limiter.Mode{seq, asy}, nil, []setting{{seq, ""}, {asy, ""}}},
		{[]limiter.Mode{seq, thr, asy}, []string{"1", "auto"}, // sequential has one worker whatever is asked for
			[]setting{{seq, ""}, {thr, "1"}, {thr, "auto"}, {asy, "1"}, {asy, "auto"}}},
		{[]limiter.Mode{asy, asy}, nil, []setting{{asy, ""}, {asy, ""}}},
	} {
		if got := settings(test.modes, test.workers); !slices.Equal(got, test.want) {
			t.Errorf("%v with %v: %v, want %v", test.modes, test.workers, got, test.want)
		}
	}
}

func TestParseWorkersList(t *testing.T) {
	for _, test := range []struct{ text, want, wrong string }{
		{text: "1,2,4,8", want: "1 2 4 8"},
		{text: " 04, AUTO", want: "4 auto"},
		{text: "4,4", wrong: "4 stands twice"},
		{text: "4,04", wrong: "4 stands twice"},
		{text: "auto,auto", wrong: "auto stands twice"},
		{text: "0", wrong: `"0": must be at least 1`},
		{text: "1,,2", wrong: `"": not a whole number`},
		{text: "many", wrong: `"many": not a whole number`},
		{text: "1000001", wrong: `"1000001": more than 1000000`},
	} {
		got, err := parseWorkersList(test.text)
		if err != nil || test.wrong != "" {
			if err == nil || err.Error() != test.wrong {
				t.Errorf("%q: %v, want %q", test.text, err, test.wrong)
			}
		} else if strings.Join(got, " ") != test.want {
			t.Errorf("%q: %q, want %q", test.text, got, test.want)
		}
	}
}

// What changes on the machine while it is measured should meet all rows alike, so they take turns.
func TestRowsTakeTurns(t *testing.T) {
	r := rounds{rows: settings(limiter.Modes, nil), runs: 2, warmup: 1}
	var order []string
	runs, err := r.measure(t.Context(), nil, func(_ context.Context, s setting) (report, error) {
		order = append(order, s.mode.String())
		return report{Mode: s.mode, Workers: len(order)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Repeat([]string{"sequential", "threads", "async"}, 3), order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	for i, row := range runs {
		if len(row) != 2 || row[0].Workers != 4+i || row[1].Workers != 7+i || row[0].Mode != r.rows[i].mode {
			t.Errorf("row %d: %v; the first run of each is the warm-up's", i, row)
		}
	}
}

func TestFailedRunEndsTheRounds(t *testing.T) {
	r := rounds{rows: settings(limiter.Modes, nil), runs: 5}
	count, broken := 0, errors.New("broken")
	_, err := r.measure(t.Context(), nil, func(context.Context, setting) (report, error) {
		if count++; count == 2 {
			return report{}, broken
		}
		return report{}, nil
	})
	if !errors.Is(err, broken) || count != 2 {
		t.Errorf("%v after %d runs", err, count)
	}
}

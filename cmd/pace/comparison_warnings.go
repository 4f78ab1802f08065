package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	// shortRun is what hyperfine calls too short to measure: how the system's clock and scheduler fall weighs as much.
	shortRun = 0.005 // seconds

	// Runs nearer to the median than that are no outliers, however alike the others are.
	notableDeviation = 0.1
)

// runWarnings says which runs are not to be relied on, much as hyperfine does.
func (c comparison) runWarnings() []string {
	var warnings []string
	if c.Runs < fewestForTest && len(c.Modes) > 1 {
		warnings = append(warnings, fmt.Sprintf("%s of each row: too few for a test, so only rows whose runs do not overlap "+
			"and are apart by a factor of %.1f count as different; --runs 5 shows more",
			countOf(int64(c.Runs), "run"), clearFactor))
	}
	names := rowNames(c.Modes)
	warnings = append(warnings, c.outlierWarnings(names)...)
	for i, m := range c.Modes {
		if m.WallSeconds.Median < shortRun {
			warnings = append(warnings, fmt.Sprintf("a run in %s takes less than %.0f ms: give it more to do for figures to "+
				"rely on", names[i], shortRun*1000))
			break // the others are about as short
		}
	}
	return warnings
}

// outlierWarnings says which rows have runs that are far from the others.
func (c comparison) outlierWarnings(names []string) []string {
	var slowFirst, scattered []string
	for i, m := range c.Modes {
		seconds := walls(m.Runs)
		switch found := outliers(seconds); {
		case len(found) > 0 && found[0] == 0 && seconds[0] > median(seconds):
			slowFirst = append(slowFirst, fmt.Sprintf("%s (%s, median %s)", names[i], secondsText(seconds[0]),
				secondsText(median(seconds))))
		case len(found) > 0:
			scattered = append(scattered, fmt.Sprintf("%s (%d of %d; %s to %s)", names[i], len(found), len(seconds),
				secondsText(slices.Min(seconds)), secondsText(slices.Max(seconds))))
		}
	}
	var warnings []string
	if len(slowFirst) > 0 {
		advice := "--warmup"
		if c.Warmup > 0 {
			advice = "more --warmup"
		}
		warnings = append(warnings, fmt.Sprintf("the first run was much slower than the others in %s: give %s, or a --prepare "+
			"that makes all runs start alike", strings.Join(slowFirst, ", "), advice))
	}
	if len(scattered) > 0 {
		warnings = append(warnings, fmt.Sprintf("some runs are far from the others in %s: something else may use this machine; "+
			"close it, or give more --runs", strings.Join(scattered, ", ")))
	}
	return warnings
}

// outliers returns which runs are far from the others.
func outliers(seconds []float64) []int {
	if len(seconds) < fewestForTest {
		return nil
	}
	var found []int
	middle := median(seconds)
	for i, score := range modifiedScores(seconds) {
		if math.Abs(score) > modifiedScore && math.Abs(seconds[i]-middle) > notableDeviation*middle {
			found = append(found, i)
		}
	}
	return found
}

// notableWait is which share of a row's time a limit must take for a warning.
const notableWait = 0.1

// limitWarnings says which flags of the compared command hide what the modes would show, going by what the runs did:
// a rate that nothing waited for hides nothing.
func (c comparison) limitWarnings(flags []string) []string {
	var warnings []string
	waited := slices.ContainsFunc(c.Modes, func(m modeResult) bool {
		return m.LimiterWaitSeconds > notableWait*m.WallSeconds.Median
	})
	if waited {
		warnings = append(warnings, c.rateFlags(flags)+": waiting for that hides the difference between the modes")
	}
	if c.Tool != "crawl" {
		return warnings
	}
	perHost := flagValue(flags, "--per-host", "2")
	idle := slices.ContainsFunc(c.Modes, func(m modeResult) bool {
		return m.Workers > int(m.InFlightPeak) && fmt.Sprintf("%.0f", m.InFlightPeak) == perHost
	})
	if idle {
		warnings = append(warnings, fmt.Sprintf("--per-host %s keeps most workers idle: no more requests to a host are in "+
			"flight; --per-host 0, on a site of your own, shows what the modes can do", perHost))
	}
	return warnings
}

// rateFlags names the limits that are set, which is also how to take them away.
func (c comparison) rateFlags(flags []string) string {
	limits := map[string][]string{"copy": {"--rate", "--iops"}, "crawl": {"--rate", "--global-rate"}}
	var set []string
	for _, name := range limits[c.Tool] {
		missing := "0"
		if c.Tool == "crawl" && name == "--rate" {
			missing = "2/s"
		}
		if v := flagValue(flags, name, missing); v != "0" {
			set = append(set, name+" "+v)
		}
	}
	if len(set) == 0 {
		return "the server or its robots.txt asks for pauses"
	}
	text := strings.Join(set, " and ")
	if flagValue(flags, "--rate", "") == "" && c.Tool == "crawl" {
		text = "the crawl keeps to its default rate, " + text + " a host"
	} else {
		text += " is kept to"
	}
	return text
}

// flagValue returns what a flag was last given, as the argument pass writes it.
func flagValue(flags []string, name, missing string) string {
	for _, given := range slices.Backward(flags) {
		if value, ok := strings.CutPrefix(given, name+"="); ok {
			return value
		}
	}
	return missing
}

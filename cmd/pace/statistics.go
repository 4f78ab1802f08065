package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// median returns the middle of at least one value.
func median(values []float64) float64 {
	return middle(slices.Sorted(slices.Values(values)))
}

func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// deviation returns the sample's standard deviation, 0 for a single value.
func deviation(values []float64) float64 {
	if len(values) < 2 {
		return 0
	}
	var mean, squares float64
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / float64(len(values)-1))
}

func spreadOf(values []float64) spread {
	return spread{
		Median: median(values), Min: slices.Min(values), Max: slices.Max(values), StandardDeviation: deviation(values),
	}
}

// resamples is how often the bootstrap draws: Efron and Tibshirani ask for 1,000 or more for the ends of an interval.
const resamples = 2000

// ratioOf returns how many times median(of) goes into median(base), with a 95 % interval by the percentile bootstrap
// (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13). The random numbers are the same each time, so
// that equal runs give equal intervals. Of a few runs the interval is too narrow: see differ.
func ratioOf(base, of []float64) factor {
	f := factor{Median: perSecond(median(base), median(of))}
	random := rand.New(rand.NewPCG(1, 2))
	ratios := make([]float64, resamples)
	drawnBase, drawnOf := make([]float64, len(base)), make([]float64, len(of))
	for i := range ratios {
		ratios[i] = perSecond(drawnMedian(random, drawnBase, base), drawnMedian(random, drawnOf, of))
	}
	slices.Sort(ratios)
	f.Low, f.High = ratios[resamples*25/1000], ratios[resamples*975/1000-1]
	return f
}

// drawnMedian fills drawn with values of src, each as likely as the others each time, and returns their median.
func drawnMedian(random *rand.Rand, drawn, src []float64) float64 {
	for i := range drawn {
		drawn[i] = src[random.IntN(len(src))]
	}
	slices.Sort(drawn)
	return middle(drawn)
}

const (
	alpha = 0.05

	// With fewer runs a side no result of the rank test is less likely than alpha by chance: with 3, the best is 0.1.
	fewestForTest = 4
	// clearFactor is what counts as a difference with so few runs, if they do not overlap either.
	clearFactor = 1.5
	// leastFactor is what counts as a difference at all: less is nobody's reason to choose, however sure it is.
	leastFactor = 1.02
)

// differ tells whether the runs of a and b show a difference that matters and is hardly chance. A bootstrap interval of a
// few runs is too narrow, so the Mann-Whitney test must agree with it.
func differ(a, b []float64) bool {
	ratio := perSecond(median(a), median(b))
	if ratio < leastFactor && ratio > 1/leastFactor {
		return false
	}
	if min(len(a), len(b)) < fewestForTest {
		apart := slices.Max(a) < slices.Min(b) || slices.Max(b) < slices.Min(a)
		return apart && (ratio >= clearFactor || ratio <= 1/clearFactor)
	}
	if rankTest(a, b) >= alpha {
		return false
	}
	interval := ratioOf(a, b)
	return interval.Low > 1 || interval.High < 1
}

// modifiedScore is what Iglewicz and Hoaglin (How to Detect and Handle Outliers, 1993) call an outlier's least score.
const modifiedScore = 3.5

// modifiedScores returns each value's distance from the median in units of a robust deviation: the median of all
// distances, or their mean where half of them are 0.
func modifiedScores(values []float64) []float64 {
	center := median(values)
	distances := make([]float64, len(values))
	var mean float64
	for i, v := range values {
		distances[i] = math.Abs(v - center)
		mean += distances[i] / float64(len(values))
	}
	unit := median(distances) / 0.6745
	if unit == 0 {
		unit = mean * 1.253314
	}
	scores := make([]float64, len(values))
	for i, v := range values {
		scores[i] = perSecond(v-center, unit)
	}
	return scores
}

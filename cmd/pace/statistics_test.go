package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3, 0}},
		{[]float64{4, 2}, spread{3, 2, 4, math.Sqrt2}},
		{[]float64{5.2, 5.0, 5.1}, spread{5.1, 5.0, 5.2, 0.1}},
		{[]float64{2, 4, 4, 4, 5, 5, 7, 9}, spread{4.5, 2, 9, math.Sqrt(32.0 / 7)}}, // n-1, for these are a sample
	} {
		got := spreadOf(test.values)
		if got.Median != test.want.Median || got.Min != test.want.Min || got.Max != test.want.Max ||
			math.Abs(got.StandardDeviation-test.want.StandardDeviation) > 1e-12 {
			t.Errorf("%v: %+v, want %+v", test.values, got, test.want)
		}
	}
}

// The p-values are those of R's wilcox.test(exact = TRUE), of examples in its manual and in that of SciPy's mannwhitneyu,
// or follow from counting.
func TestRankTest(t *testing.T) {
	for _, test := range []struct {
		why  string
		a, b []float64
		want float64
	}{
		{"R's manual: permeability of membranes", []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46},
			[]float64{1.15, 0.88, 0.90, 0.74, 1.21}, 0.25441},
		{"SciPy's manual: age at diagnosis", []float64{19, 22, 16, 29, 24}, []float64{20, 11, 17, 12}, 0.11111},
		{"apart, 5 and 5", []float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}, 2.0 / 252},
		{"apart, the other way", []float64{6, 7, 8, 9, 10}, []float64{1, 2, 3, 4, 5}, 2.0 / 252},
		{"apart, 4 and 4", []float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}, 2.0 / 70},
		{"apart, 3 and 3: never below 0.05", []float64{1, 2, 3}, []float64{4, 5, 6}, 2.0 / 20},
		{"one and one", []float64{1}, []float64{2}, 1},
		{"all equal", []float64{1, 1, 1, 1}, []float64{1, 1, 1, 1}, 1},
		{"the same values", []float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}, 1},
		// Of the 6 ways to choose 2 of the ranks 1, 2.5, 2.5, 4, one has the sum 3.5 twice over, as 1+2.5.
		{"a tie", []float64{1, 2}, []float64{2, 3}, 2 * 2.0 / 6},
	} {
		if got := rankTest(test.a, test.b); math.Abs(got-test.want) > 5e-6 {
			t.Errorf("%s: p = %.6f, want %.6f", test.why, got, test.want)
		}
	}
}

// The approximation for many values continues the exact test.
func TestNormalRankTest(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		a, b := make([]float64, 25), make([]float64, 25)
		for i := range a {
			a[i], b[i] = math.Round(10*random.ExpFloat64())+random.Float64()/2, math.Round(10*random.ExpFloat64())
		}
		ranks, ties := doubledRanks(a, b)
		sum := 0
		for _, r := range ranks[:len(a)] {
			sum += r
		}
		exact := rankTest(a, b)
		if got := normalRankTest(float64(sum)/2, 25, 25, ties); math.Abs(got-exact) > 0.01 {
			t.Errorf("approximately %.4f, exactly %.4f", got, exact)
		}
	}
	same := make([]float64, 40)
	if p := rankTest(same, same); p != 1 {
		t.Errorf("80 equal values: p = %v", p)
	}
	more := make([]float64, 40)
	for i := range more {
		more[i] = float64(i + 1)
	}
	if p := rankTest(same, more); p > 1e-6 {
		t.Errorf("40 values above 40 zeros: p = %v", p)
	}
}

func TestRatio(t *testing.T) {
	if got, want := ratioOf([]float64{6}, []float64{2}), (factor{3, 3, 3}); got != want {
		t.Errorf("single runs: %v, want %v", got, want)
	}
	if got, want := ratioOf([]float64{1, 1, 1}, []float64{0, 0, 0}), (factor{}); got != want {
		t.Errorf("runs that took no time: %v; JSON has no infinity", got)
	}
	base, of := []float64{5.0, 5.1, 5.2, 5.3, 5.9}, []float64{1.0, 1.1, 1.2, 1.3, 1.4}
	got := ratioOf(base, of)
	if got != ratioOf(base, of) {
		t.Error("the interval differs between two calls")
	}
	if math.Abs(got.Median-5.2/1.2) > 1e-12 || got.Low >= got.Median || got.High <= got.Median ||
		got.Low < 5.0/1.4 || got.High > 5.9/1.0 {
		t.Errorf("%v", got)
	}
}

// A 95 % interval should hold the true ratio in about 95 % of tries, if there are enough runs.
func TestIntervalHoldsTheTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	held := 0
	for range 100 {
		a, b := skewed(random, 25, 2), skewed(random, 25, 1)
		if r := ratioOf(a, b); r.Low <= 2 && r.High >= 2 {
			held++
		}
	}
	if held < 88 || held > 99 {
		t.Errorf("%d of 100 intervals hold the ratio", held)
	}
}

// skewed returns wall times as they are: never below some time, now and then much above (log-normal).
func skewed(random *rand.Rand, n int, scale float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = scale * (1 + 0.1*math.Exp(random.NormFloat64()))
	}
	return values
}

// mixed returns wall times on a machine that something else uses for a while: one in five is twice as long.
func mixed(random *rand.Rand, n int, scale float64) []float64 {
	values := skewed(random, n, scale)
	for i := range values {
		if random.IntN(5) == 0 {
			values[i] *= 2
		}
	}
	return values
}

// Of 20 tries with equal rows, 18 at least should show no difference: at most 1 in 20 is what the tests promise.
func TestEqualRowsDoNotDiffer(t *testing.T) {
	samples := map[string]func(*rand.Rand, int, float64) []float64{"skewed": skewed, "mixed": mixed}
	for name, sample := range samples {
		for _, runs := range []int{1, 2, 3, 4, 5, 10, 20} {
			random := rand.New(rand.NewPCG(7, uint64(runs)))
			const tries = 200
			different := 0
			for range tries {
				if differ(sample(random, runs, 1), sample(random, runs, 1)) {
					different++
				}
			}
			most := tries / 20
			if name == "mixed" && runs < fewestForTest {
				most = tries / 2 // a single run that was disturbed by as much as that looks like a difference
			}
			if different > most {
				t.Errorf("%s, %d runs: %d of %d tries show a difference that is none", name, runs, different, tries)
			}
		}
	}
}

func TestDifferentRowsDiffer(t *testing.T) {
	for _, test := range []struct {
		runs  int
		ratio float64
	}{{1, 5}, {2, 5}, {3, 5}, {5, 2}, {10, 1.5}, {30, 1.3}} {
		random := rand.New(rand.NewPCG(9, uint64(test.runs)))
		found := 0
		for range 100 {
			if differ(skewed(random, test.runs, test.ratio), skewed(random, test.runs, 1)) {
				found++
			}
		}
		if found < 95 {
			t.Errorf("%d runs, %v times as long: found in %d of 100 tries", test.runs, test.ratio, found)
		}
	}
}

func TestDiffer(t *testing.T) {
	for _, test := range []struct {
		why  string
		a, b []float64
		want bool
	}{
		{"one run each, five times", []float64{5}, []float64{1}, true},
		{"one run each, a little", []float64{1.3}, []float64{1}, false},
		{"three runs that overlap", []float64{2, 2, 0.9}, []float64{1, 1, 1}, false},
		{"three runs apart by half", []float64{1.5, 1.6, 1.7}, []float64{1, 1, 0.9}, true},
		{"five runs apart", []float64{1.1, 1.11, 1.12, 1.13, 1.14}, []float64{1, 1.01, 1.02, 1.03, 1.04}, true},
		{"the same, the other way", []float64{1, 1.01, 1.02, 1.03, 1.04}, []float64{1.1, 1.11, 1.12, 1.13, 1.14}, true},
		{"sure, but a hundredth", []float64{1.01, 1.01, 1.01, 1.01, 1.01}, []float64{1, 1, 1, 1, 1}, false},
		{"equal", []float64{1, 1, 1, 1, 1}, []float64{1, 1, 1, 1, 1}, false},
	} {
		if got := differ(test.a, test.b); got != test.want {
			t.Errorf("%s: %v, want %v", test.why, got, test.want)
		}
	}
}

func TestModifiedScores(t *testing.T) {
	for _, test := range []struct {
		values []float64
		last   float64
	}{
		{[]float64{1, 2, 3, 4, 100}, 0.6745 * 97},      // the median of the distances is 1
		{[]float64{1, 1, 1, 1, 2}, 1 / (1.253314 / 5)}, // half of them are 0: their mean is 1/5
		{[]float64{1, 1, 1, 1, 1}, 0},
	} {
		scores := modifiedScores(test.values)
		if got := scores[len(scores)-1]; math.Abs(got-test.last) > 1e-9 {
			t.Errorf("%v: the last has score %v, want %v", test.values, got, test.last)
		}
	}
}

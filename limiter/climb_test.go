package limiter

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hills are what numbers of workers bring.
var hills = map[string]func(n float64) float64{
	"a knee":         func(n float64) float64 { return 10 * min(n, 50) },
	"a smooth one":   func(n float64) float64 { return 1000 * n / (n + 10) },
	"no top":         func(n float64) float64 { return n },
	"flat":           func(float64) float64 { return 100 },
	"falling":        func(n float64) float64 { return 100 * min(n, 8) / (1 + max(n-8, 0)/20) },
	"a narrow start": func(n float64) float64 { return 20 * min(n, 2.5) },
}

// TestClimbStaysNearTheTop averages over many windows, with what a measurement adds and takes away.
func TestClimbStaysNearTheTop(t *testing.T) {
	for name, hill := range hills {
		for _, noise := range []float64{0, 0.03, 0.1} {
			for _, start := range []int{2, 8, 64} {
				t.Run(fmt.Sprintf("%s/%v/%d", name, noise, start), func(t *testing.T) {
					random := rand.New(rand.NewPCG(1, uint64(start)))
					best := 0.0
					for n := range 256 {
						best = max(best, hill(float64(n+1)))
					}
					c := newClimb(start, 256)
					const windows = 2000
					sum, workers := 0.0, 0.0
					for range windows {
						rate := hill(float64(c.n))
						sum += rate
						workers += float64(c.n)
						c.next(window{rate: rate * (1 + noise*random.NormFloat64()), busy: 1})
						if c.n < 1 || c.n > 256 {
							t.Fatalf("%d workers", c.n)
						}
					}
					if got := sum / windows; got < (0.9-noise)*best {
						t.Errorf("%.1f on average, the best is %.1f", got, best)
					}
					if got := workers / windows; name == "flat" && noise == 0 && got > 3 {
						t.Errorf("%.1f workers on average where one is enough", got)
					}
				})
			}
		}
	}
}

// TestClimbSteps has the numbers that some windows lead to, one after another.
func TestClimbSteps(t *testing.T) {
	full := func(rate float64) window { return window{rate: rate, busy: 1} }
	for name, tt := range map[string]struct {
		start, most int
		windows     []window
		want        []int
	}{
		"doubles up to the most":     {3, 20, []window{full(3), full(6), full(12), full(20)}, []int{6, 12, 20, 20}},
		"undoes what gains nothing":  {4, 64, []window{full(4), full(8), full(8), full(8), full(8)}, []int{8, 16, 16, 16, 8}},
		"looks longer at small gain": {4, 64, []window{full(4), full(4), full(4.6), full(4.2)}, []int{8, 8, 8, 16}},
		"waits until workers get on": {4, 64, []window{full(4), full(4), full(7)}, []int{8, 8, 16}},
		"idle workers say nothing":   {4, 64, []window{full(4), {rate: 4, busy: 0.7}, {busy: 1}}, []int{8, 8, 8}},
		"one is all":                 {1, 1, []window{full(1), full(1), full(2), full(5), full(5)}, []int{1, 1, 1, 1, 1}},
		// 4 workers at 10 a second each, but the quickest operation was as quick as if it had been alone.
		"in doubt, compares with half": {4, 64, []window{{rate: 10, busy: 1, alone: 10}, full(10), full(10), full(10), full(10)}, []int{2, 4, 4, 4, 2}},
		"alone is slower":              {4, 64, []window{{rate: 40, busy: 1, alone: 12}}, []int{8}},
		"the usual speaks for two more": {2, 64, []window{
			{rate: 9, busy: 1, usual: 20},
			{rate: 9, busy: 1, usual: 40}, {rate: 9, busy: 1, usual: 40}, {rate: 9, busy: 1, usual: 40},
			{rate: 9, busy: 1, usual: 80}, {rate: 9, busy: 1, usual: 80}, {rate: 9, busy: 1, usual: 80},
			{rate: 9, busy: 1, usual: 160}, {rate: 9, busy: 1, usual: 160}, {rate: 9, busy: 1, usual: 160},
		}, []int{4, 4, 4, 8, 8, 8, 16, 16, 16, 8}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClimb(tt.start, tt.most)
			var got []int
			for _, w := range tt.windows {
				got = append(got, c.next(w))
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("numbers (-want +got):\n%s", d)
			}
		})
	}
}

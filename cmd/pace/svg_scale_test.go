package main

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var nearly = cmpopts.EquateApprox(1e-9, 0)

func TestScale(t *testing.T) {
	linear := scale{min: 0, max: 4, from: 100, to: 500}
	down := scale{min: 0, max: 10, from: 80, to: 0} // as on a vertical axis
	log := scale{min: 0.001, max: 10, from: 0, to: 400, log: true}
	for _, test := range []struct {
		s       scale
		v, want float64
	}{
		{linear, 0, 100}, {linear, 4, 500}, {linear, 1, 200},
		{down, 0, 80}, {down, 10, 0}, {down, 2.5, 60},
		{log, 0.001, 0}, {log, 10, 400}, {log, 0.1, 200},
		{scale{from: 7, to: 9}, 0, 7}, // nothing to show
	} {
		if got := test.s.at(test.v); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%+v: %v is at %v, want %v", test.s, test.v, got, test.want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		s     scale
		about int
		want  []float64
	}{
		{scale{max: 5}, 5, []float64{0, 1, 2, 3, 4, 5}},
		{scale{max: 5.07}, 5, []float64{0, 2, 4}},
		{scale{max: 1}, 2, []float64{0, 0.5, 1}},
		{scale{max: 0.3}, 3, []float64{0, 0.1, 0.2, 0.3}}, // three tenths are a little more than 0.3
		{scale{max: 64}, 2, []float64{0, 50}},
		{scale{min: 3, max: 9}, 3, []float64{4, 6, 8}},
		{scale{}, 3, []float64{0}},
		{scale{min: 0.001, max: 1, log: true}, 5, []float64{0.001, 0.01, 0.1, 1}},
		{scale{min: 0.004, max: 0.06, log: true}, 5, []float64{0.005, 0.01, 0.02, 0.05}},
		{scale{min: 1e-6, max: 1000, log: true}, 4, []float64{1e-6, 1e-3, 1, 1000}},
		{scale{min: 0.036, max: 0.067, log: true}, 4, []float64{0.04, 0.05, 0.06}},
		{scale{min: 0.0011, max: 0.9, log: true}, 4, []float64{0.01, 0.1}},
		{scale{min: 0.021, max: 0.022, log: true}, 4, nil},
	} {
		if d := cmp.Diff(test.want, test.s.ticks(test.about), nearly); d != "" {
			t.Errorf("%+v, about %d (-want +got):\n%s", test.s, test.about, d)
		}
	}
}

func TestDurationText(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1e-6: "1 µs", 0.00025: "250 µs", 0.0015: "1.5 ms", 0.02: "20 ms", 0.9996: "1 s", 0.99949: "999 ms", 5.068: "5.07 s",
		60: "60 s", 3600: "3600 s",
	} {
		if got := durationText(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}

func TestPx(t *testing.T) {
	for v, want := range map[px]string{0: "0", 10: "10", 100: "100", 0.5: "0.5", 1.005: "1", 3.14159: "3.14", -2.5: "-2.5"} {
		if got := v.String(); got != want {
			t.Errorf("%v is %s, want %s", float64(v), got, want)
		}
	}
}

func TestDownsample(t *testing.T) {
	for _, test := range []struct {
		name      string
		values    []float64
		step, own float64 // of the series, and its end
		end       float64
		n         int
		want      []float64
	}{
		{"as it is", []float64{1, 2, 3}, 1, 3, 3, 3, []float64{1, 2, 3}},
		{"to one", []float64{1, 2, 3}, 1, 3, 3, 1, []float64{2}},
		{"to halves", []float64{1, 2, 3}, 1, 3, 3, 2, []float64{4. / 3, 8. / 3}},
		{"to more than there are", []float64{4, 8}, 1, 2, 2, 4, []float64{4, 4, 8, 8}},
		{"the last step is short", []float64{4, 8}, 1, 1.5, 2, 2, []float64{4, 4}},
		{"others take longer", []float64{6}, 1, 1, 4, 4, []float64{6, 0, 0, 0}},
		{"nothing", nil, 0, 0, 0, 2, []float64{0, 0}},
		{"cut", []float64{1, 1, 9}, 1, 3, 2, 1, []float64{1}},
	} {
		if d := cmp.Diff(test.want, downsample(test.values, test.step, test.own, test.end, test.n), nearly); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, d)
		}
	}
}

func TestParts(t *testing.T) {
	for _, test := range []struct {
		step, end  float64
		most, want int
	}{{0.001, 1, 200, 200}, {0.1, 1, 200, 10}, {1, 0.2, 200, 1}, {0, 0, 200, 1}} {
		if got := parts(test.step, test.end, test.most); got != test.want {
			t.Errorf("steps of %v up to %v: %d parts, want %d", test.step, test.end, got, test.want)
		}
	}
}

func TestHistogram(t *testing.T) {
	got := histogram([]float64{0.001, 0.001, 0.1, 50}, 0.001, 10)
	sum := 0.0
	for _, share := range got {
		sum += share
	}
	// 0.1 is in the middle of the scale; what is beyond its end is in the last bin.
	if math.Abs(sum-1) > 1e-9 || got[0] != 0.5 || got[latencyBins/2]+got[latencyBins/2-1] != 0.25 || got[latencyBins-1] != 0.25 {
		t.Errorf("%v", got)
	}
}

func TestAreaPath(t *testing.T) {
	x, y := scale{max: 4, to: 40}, scale{max: 2, from: 20, to: 0}
	if got, want := areaPath([]float64{1, 2, 0, 0}, x, y), "M0 20L0 10L10 10L10 0L20 0L20 20Z"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := areaPath(make([]float64, 1000), x, y); strings.Count(got, "L") != 1 {
		t.Errorf("nothing at all is drawn as %.100s", got)
	}
}

func TestClipMiddle(t *testing.T) {
	for s, want := range map[string]string{"short": "short", "0123456789": "0123456789", "0123456789a": "0123…789a", "äöüßäöüßäöüß": "äöüß…äöüß"} {
		if got := clipMiddle(s, 10); got != want {
			t.Errorf("%s is %s, want %s", s, got, want)
		}
	}
}

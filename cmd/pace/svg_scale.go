package main

import (
	"fmt"
	"math"
	"strconv"
)

// scale turns values from min to max into places from one end of a picture to another.
type scale struct {
	min, max float64
	from, to float64
	log      bool // min is above zero then
}

func (s scale) at(v float64) float64 {
	if s.max <= s.min {
		return s.from
	}
	share := (v - s.min) / (s.max - s.min)
	if s.log {
		share = math.Log(v/s.min) / math.Log(s.max/s.min)
	}
	return s.from + share*(s.to-s.from)
}

// ticks returns values on the scale that are round numbers, about as many as are asked for.
func (s scale) ticks(about int) []float64 {
	if s.log {
		return logTicks(s.min, s.max, about)
	}
	step := roundUp((s.max - s.min) / float64(max(about, 1)))
	if step <= 0 {
		return []float64{s.min}
	}
	var ticks []float64
	// A little more than max, as a sum of steps may be.
	for i := math.Ceil(s.min / step); i*step <= s.max*(1+1e-9); i++ {
		ticks = append(ticks, i*step)
	}
	return ticks
}

// roundUp returns the next number that is 1, 2 or 5 times a power of ten.
func roundUp(v float64) float64 {
	if v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 5} {
		if n*power >= v*(1-1e-9) {
			return n * power
		}
	}
	return 10 * power
}

// logTicks takes as many multiples of the powers of ten as are few enough, or only the powers, or some of them.
func logTicks(low, high float64, about int) []float64 {
	first, last := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	within := func(numbers []float64, stride float64) (ticks []float64) {
		for power := first; power <= last; power += stride {
			for _, n := range numbers {
				if v := n * math.Pow(10, power); v >= low*(1-1e-9) && v <= high*(1+1e-9) {
					ticks = append(ticks, v)
				}
			}
		}
		return ticks
	}
	for _, numbers := range [][]float64{{1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 5}} {
		if all := within(numbers, 1); len(all) <= max(about, 2) {
			return all
		}
	}
	for stride := 1.0; ; stride++ {
		if ticks := within([]float64{1}, stride); len(ticks) <= max(about, 2) {
			return ticks
		}
	}
}

// durationText writes seconds in the unit that suits them: 250 µs, 1.5 ms, 20 s.
func durationText(seconds float64) string {
	scaled, unit := seconds, " s"
	switch {
	case seconds == 0:
		return "0"
	case seconds < 0.9995e-3:
		scaled, unit = seconds*1e6, " µs"
	case seconds < 0.9995:
		scaled, unit = seconds*1e3, " ms"
	}
	return shortNumber(scaled) + unit
}

// shortNumber writes three digits that matter, without zeros behind the point.
func shortNumber(v float64) string {
	if v == 0 || math.Abs(v) >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

package progress

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// sums returns what the values stand for: operation-seconds, bytes and operations.
func sums(v Series) (busy, bytes, operations float64) {
	for i := range v.InFlight {
		long := min(v.Step, v.End-time.Duration(i)*v.Step).Seconds()
		busy += v.InFlight[i] * long
		bytes += v.BytesPerSecond[i] * long
		operations += v.OperationsPerSecond[i] * long
	}
	return busy, bytes, operations
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-6*max(math.Abs(want), 1) }

func TestSeries(t *testing.T) {
	const ms = time.Millisecond
	type op struct {
		start, end time.Duration
		bytes      int64
	}
	for _, test := range []struct {
		name      string
		ops       []op
		step      time.Duration
		inFlight  []float64
		bytesEach []float64
	}{
		{"within one step", []op{{0, ms / 2, 100}}, ms, []float64{1}, []float64{200_000}}, // the step ends with the run
		{"one after another", []op{{0, ms, 10}, {ms, 2 * ms, 20}}, ms, []float64{1, 1}, []float64{10_000, 20_000}},
		{"at once", []op{{0, 2 * ms, 10}, {0, 2 * ms, 20}}, ms, []float64{2, 2}, []float64{15_000, 15_000}},
		{"across an edge", []op{{ms / 2, 3 * ms / 2, 10}, {2 * ms, 3 * ms, 0}}, ms, []float64{0.5, 0.5, 1}, []float64{5_000, 5_000, 0}},
		{"nothing between", []op{{0, ms, 1}, {2 * ms, 3 * ms, 1}}, ms, []float64{1, 0, 1}, []float64{1000, 0, 1000}},
		{"none", nil, ms, nil, nil},
	} {
		s := newSeries()
		for _, o := range test.ops {
			s.add(o.start, o.end, o.bytes)
		}
		v := s.values()
		if v.Step != test.step || len(v.InFlight) != len(test.inFlight) {
			t.Errorf("%s: %d values, one for %v, want %d for %v", test.name, len(v.InFlight), v.Step, len(test.inFlight), test.step)
			continue
		}
		for i, want := range test.inFlight {
			if !near(v.InFlight[i], want) || !near(v.BytesPerSecond[i], test.bytesEach[i]) {
				t.Errorf("%s: step %d: %v in flight, %v B/s; want %v, %v", test.name, i, v.InFlight[i], v.BytesPerSecond[i], want, test.bytesEach[i])
			}
		}
	}
}

// TestSeriesKeepsSums adds random operations to many series and merges them: whatever the steps become, nothing is lost,
// and each step has what a count of the operations says.
func TestSeriesKeepsSums(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		span := time.Duration(1+rnd.IntN(1_000_000)) * 10 * time.Microsecond // up to ten seconds
		parts := []*series{newSeries(), newSeries(), newSeries()}
		var starts, ends []time.Duration
		var busy, bytes float64
		n := 1 + rnd.IntN(300)
		for range n {
			start := time.Duration(rnd.Int64N(int64(span)))
			end := start + time.Microsecond + time.Duration(rnd.Int64N(int64(span)))
			size := rnd.Int64N(1 << 20)
			parts[rnd.IntN(len(parts))].add(start, end, size)
			starts, ends = append(starts, start), append(ends, end)
			busy += (end - start).Seconds()
			bytes += float64(size)
		}
		sum := newSeries()
		for _, p := range parts {
			sum.merge(p)
		}
		v := sum.values()
		gotBusy, gotBytes, gotOps := sums(v)
		if !near(gotBusy, busy) || !near(gotBytes/bytes, 1) || !near(gotOps, float64(n)) {
			t.Errorf("seed %d: %v s, %v bytes, %v operations; want %v, %v, %d", seed, gotBusy, gotBytes, gotOps, busy, bytes, n)
		}
		for i, got := range v.InFlight {
			from := time.Duration(i) * v.Step
			to := min(from+v.Step, v.End)
			want := 0.0
			for k := range starts {
				want += max(min(ends[k], to)-max(starts[k], from), 0).Seconds()
			}
			if want /= (to - from).Seconds(); !near(got, want) {
				t.Fatalf("seed %d: step %d: %v in flight, want %v", seed, i, got, want)
			}
		}
		if len(v.InFlight) > seriesLen {
			t.Errorf("seed %d: %d values", seed, len(v.InFlight))
		}
	}
}

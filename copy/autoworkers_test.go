package copy

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"pace/limiter"
)

// shaking changes the number of workers with each chunk.
type shaking struct {
	driver
	run *run
}

func (s shaking) buffer() []byte {
	if s.run.tuner != nil {
		s.run.tuner.Workers().Set(1 + rand.IntN(s.run.width))
	}
	return s.driver.buffer()
}

func newShaken(m limiter.Mode, o Options) *run {
	o.Mode, o.AutoWorkers, o.MaxWorkers, o.ChunkSize = m, true, 9, 64*kib
	r := newRun(o)
	r.wrap = func(d driver) driver { return shaking{d, r} }
	return r
}

// Whatever the number of workers does, the copy is whole: chunks that one leaves are copied by another.
func TestAutoWorkersShaken(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		all := map[string][]byte{}
		var sources []string
		for i, size := range []int{5_000_000, 3_000_001, 0, 1, 64 * kib, 900_000} {
			name := fmt.Sprint("f", i)
			all[name] = random(size)
			sources = append(sources, write(t, filepath.Join(from, name), all[name]))
		}
		for range 3 {
			report, err := newShaken(m, Options{Sources: sources, Dest: to}).run(t.Context())
			if err != nil || report.Items != 6 || report.ItemsFailed > 0 {
				t.Fatalf("%+v, %v", report, err)
			}
			for name, data := range all {
				same(t, filepath.Join(to, name), data)
			}
			if tuned := report.WorkerSteps != nil; tuned != (m != limiter.Sequential) {
				t.Errorf("%d numbers of workers", len(report.WorkerSteps))
			}
		}
		tree := filepath.Join(to, "tree")
		report, err := newShaken(m, Options{Sources: []string{from}, Dest: tree, Recursive: true}).run(t.Context())
		if err != nil || report.Items != 6 {
			t.Fatalf("%+v, %v", report, err)
		}
		for name, data := range all {
			same(t, filepath.Join(tree, name), data)
		}
	})
}

// The same between endpoints, of which one takes the bytes in their order only: whoever has the next ones must not wait.
func TestAutoWorkersShakenBetweenEndpoints(t *testing.T) {
	data := random(4_000_000)
	for _, from := range sourceCases {
		for _, to := range sinkCases {
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				inModes(t, func(t *testing.T, m limiter.Mode) {
					r := newShaken(m, Options{})
					source := from.make(t, r, data)
					sink, got := to.make(t, r)
					report, err := relayed(t, r, &relay{run: r, src: "src", dst: "dst", from: source, to: sink})
					if err != nil || report.ItemsFailed > 0 || !bytes.Equal(got(), data) {
						t.Fatalf("%+v, %v", report, err)
					}
				})
			})
		}
	}
}

func TestAutoWorkersVerify(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		data := random(2_000_000)
		src, dst := write(t, filepath.Join(from, "f"), data), write(t, filepath.Join(to, "f"), data)
		report, err := Verify(t.Context(), VerifyOptions{Source: src, Dest: dst, Mode: m, AutoWorkers: true, MaxWorkers: 5})
		if err != nil || report.Items != 1 || report.ItemsFailed > 0 || report.Workers > 5 {
			t.Fatalf("%+v, %v", report, err)
		}
		if tuned := report.WorkerSteps != nil; tuned != (m != limiter.Sequential) {
			t.Errorf("%d numbers of workers", len(report.WorkerSteps))
		}
	})
}

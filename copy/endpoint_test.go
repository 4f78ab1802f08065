package copy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"pace/limiter"
)

// endpoints are the sources and sinks that one suite holds to their contract.
type sourceCase struct {
	name string
	// make offers data, and returns the source.
	make func(t *testing.T, r *run, data []byte) source
}

type sinkCase struct {
	name string
	// make returns the sink, and what reads back its file.
	make func(t *testing.T, r *run) (sink, func() []byte)
}

var sourceCases = []sourceCase{
	{"local", func(t *testing.T, r *run, data []byte) source {
		return &localSource{run: r, shown: write(t, filepath.Join(t.TempDir(), "src"), data)}
	}},
}

var sinkCases = []sinkCase{
	{"local", func(t *testing.T, r *run) (sink, func() []byte) {
		path := filepath.Join(t.TempDir(), "dst")
		return &localSink{run: r, src: "src", path: path}, func() []byte {
			holds(t, filepath.Dir(path), "dst")
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
	}},
	{"ordered", func(t *testing.T, r *run) (sink, func() []byte) {
		var out bytes.Buffer
		return newOrdered(r, "src", 64*kib, &out), out.Bytes
	}},
}

// relayed copies by one relay, and returns what Run would.
func relayed(t *testing.T, r *run, y *relay) (Report, error) {
	t.Helper()
	jobs := []job{y.openAndStart}
	r.items = make([]item, 1)
	r.items[0].err = errors.New("not a file of this machine")
	r.engine = newEngine(func(context.Context) (job, error) {
		if len(jobs) == 0 {
			return nil, io.EOF
		}
		j := jobs[0]
		jobs = jobs[1:]
		return j, nil
	})
	r.sized = func() { r.chunk, r.width = 64*kib, r.workers() }
	backend, err := r.drive(t.Context())
	return r.withTotals(Report{Backend: backend}), err
}

// Each source goes to each sink, whole, in each mode.
func TestEndpoints(t *testing.T) {
	for _, from := range sourceCases {
		for _, to := range sinkCases {
			testEndpoints(t, from, to)
		}
	}
}

func testEndpoints(t *testing.T, from sourceCase, to sinkCase) {
	for _, size := range []int{0, 1, 64*kib - 1, 64 * kib, 64*kib + 1, 1_000_000} {
		t.Run(fmt.Sprintf("%s to %s/%d", from.name, to.name, size), func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				data := random(size)
				sum := sha256.Sum256(data)
				r := newRun(Options{Mode: m, Workers: 4, Expect: &Digest{HashSHA256, sum[:]}})
				source := from.make(t, r, data)
				sink, got := to.make(t, r)
				report, err := relayed(t, r, &relay{run: r, src: "src", dst: "dst", from: source, to: sink})
				if err != nil || report.ItemsFailed > 0 || report.Items != 1 || report.Bytes != int64(size) {
					t.Fatalf("%+v, %v", report, err)
				}
				if !bytes.Equal(got(), data) {
					t.Fatal("other bytes than the source's have arrived")
				}
			})
		})
	}
}

// What fails to be what its user expects gets no name, and nothing is left.
func TestDigestMismatch(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src := write(t, filepath.Join(from, "f"), random(300_000))
		o := Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 64 * kib, Expect: &Digest{HashSHA256, make([]byte, 32)}}
		report, err := Run(t.Context(), o)
		if err != nil || report.ItemsFailed != 1 {
			t.Fatalf("%+v, %v", report, err)
		}
		holds(t, to)
		sum := sha256.Sum256(random(300_000))
		o.Expect.Sum = sum[:]
		mustRun(t, o)
		holds(t, to, "f")
	})
}

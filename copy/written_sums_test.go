package copy

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"pace/limiter"
)

// What was written is known by the hash that was chosen, and any bit of it counts.
func TestWrittenSums(t *testing.T) {
	data := random(600_000)
	for _, by := range Hashes {
		var w writtenSums
		w.add(by, data[:500_000], 0)
		w.add(by, data[500_000:], 500_000)
		sum := by.New()
		_, _ = sum.Write(data[500_000:])
		if got := w.ranges[1].sum[:sum.Size()]; !bytes.Equal(got, sum.Sum(nil)) {
			t.Errorf("%v: the sum is %x", by, got)
		}
		check := func(data []byte) bool {
			same, err := w.holds(t.Context(), by, bytes.NewReader(data).ReadAt)
			if err != nil {
				t.Error(err)
			}
			return same
		}
		if !check(append(bytes.Clone(data), 'x')) {
			t.Errorf("%v: not the same", by)
		}
		for _, at := range []int{0, 499_999, 500_000, 599_999} {
			other := bytes.Clone(data)
			other[at] ^= 4
			if check(other) {
				t.Errorf("%v: byte %d is another one", by, at)
			}
		}
		if check(data[:599_999]) {
			t.Errorf("%v: the last byte is not there", by)
		}
	}
}

// A download that is not written as it arrived fails by each hash, in what this run has written and in what one before has.
func TestHTTPVerify(t *testing.T) {
	data := random(2_000_000)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, by := range Hashes {
			for _, resumed := range []bool{false, true} {
				for _, spoiled := range []bool{false, true} {
					o := newOrigin(t, data)
					_, to := dirs(t)
					opts := fetch(to, o.URL+"/f", m)
					opts.Verify, opts.Hash = true, by
					part, before := filepath.Join(to, ".f.pace-part"), int64(-1)
					if resumed {
						stoppedHalfway(t, o, opts)
						before = someRange(t, filepath.Join(to, ".f.pace-journal"))
					}
					r := quickly(opts)
					r.wrap = func(d driver) driver {
						return faulty{d, nil, func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
							n, err := d.pwrite(ctx, f, p, off)
							if spoiled && err == nil && off+int64(n) == int64(len(data)) {
								// Where this run has written, or the one before.
								at := off
								if resumed {
									at = before
								}
								_, err = f.WriteAt([]byte{data[at] ^ 1}, at)
							}
							return n, err
						}}
					}
					report, err := r.run(t.Context())
					switch failed := report.ItemsFailed == 1; {
					case err != nil || failed != spoiled:
						t.Errorf("%v, resumed %t, spoiled %t: %v, %+v", by, resumed, spoiled, err, report)
					case spoiled && exists(part):
						t.Errorf("%v: what is wrong was kept", by)
					case !spoiled:
						same(t, filepath.Join(to, "f"), data)
					}
				}
			}
		}
	})
}

// Reading back ends when the run does.
func TestWrittenSumsCancelled(t *testing.T) {
	var w writtenSums
	w.add(HashSHA256, []byte("x"), 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.holds(ctx, HashSHA256, bytes.NewReader([]byte("x")).ReadAt); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// someRange returns where a range begins that a journal has.
func someRange(t *testing.T, journal string) int64 {
	t.Helper()
	f, err := os.Open(journal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	_, done, err := readJournal(f)
	if err != nil || len(done) == 0 {
		t.Fatalf("%d ranges, %v", len(done), err)
	}
	return done[0].off
}

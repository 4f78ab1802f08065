package copy

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"pace/limiter"
)

// A file of a tree that cannot be begun does not stop the others, although the tree is the only source.
func TestTreeGoesOnAfterFile(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		write(t, filepath.Join(from, "a"), random(10))
		write(t, filepath.Join(from, "b"), random(11))
		write(t, filepath.Join(from, "big"), random(300*kib))
		for _, name := range []string{"a", "big"} {
			if err := os.Mkdir(filepath.Join(to, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		var l logs
		r, err := Run(context.Background(), Options{
			Sources: []string{from}, Dest: to, NoTargetDir: true, Recursive: true, Mode: m, ChunkSize: 64 * kib,
			Log: l.logger(),
		})
		if err != nil || r.ItemsFailed != 2 || r.Items != 3 {
			t.Fatalf("%d items, %d failed, error %v", r.Items, r.ItemsFailed, err)
		}
		if n := len(l.lines(slog.LevelError)); n != 2 {
			t.Errorf("%d errors were told: %s", n, l.text.String())
		}
		same(t, filepath.Join(to, "b"), random(11))
	})
}

// However few files may be open, what all workers may open together fits.
func TestFit(t *testing.T) {
	for _, limit := range []int{0, 1, 70, 100, 256, 1024, 1 << 20} {
		for _, width := range []int{1, 2, 8, 16, 64, 1000} {
			r := newRun(Options{})
			r.width = width
			r.fit(limit)
			if r.width < 1 || r.width > width || r.perBatch < 1 || r.perBatch > batchLen {
				t.Errorf("limit %d: %d workers with %d files", limit, r.width, r.perBatch)
			}
			if need := r.width * (2*r.perBatch + workerDescriptors/2); limit >= 256 && need+otherDescriptors > limit {
				t.Errorf("limit %d: %d workers need %d", limit, r.width, need)
			}
			if limit >= 20_000 && r.perBatch != batchLen {
				t.Errorf("limit %d: batches of %d", limit, r.perBatch)
			}
		}
	}
}

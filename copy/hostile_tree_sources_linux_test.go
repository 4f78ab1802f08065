package copy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// Several sources that go into one folder are copied one after another, as cp does: the last that has a name wins.
func TestMergedSources(t *testing.T) {
	root := t.TempDir()
	for i := range 40 {
		for k, tree := range []string{"a", "b", "x/a"} {
			plant(t, root, fmt.Sprintf("%s/sub%d/", tree, i%4), fmt.Sprintf("%s/sub%d/new/", tree, i%4))
			write(t, filepath.Join(root, tree, fmt.Sprint("f", i)), random(k+i))
			write(t, filepath.Join(root, tree, fmt.Sprintf("sub%d/f%d", i%4, i)), random(200*kib*(i%3)+k))
			write(t, filepath.Join(root, tree, fmt.Sprintf("sub%d/new/%s%d", i%4, tree[:1], i)), random(k+i))
		}
	}
	write(t, filepath.Join(root, "f7"), random(500*kib))
	for _, sources := range [][]string{{"a/.", "b/."}, {"a/.", "b/.", "f7"}, {"a", "x/a"}, {"b/.", "x/a/."}} {
		for i, src := range sources {
			sources[i] = root + "/" + src
		}
		theirs := t.TempDir()
		if out, err := exec.Command("cp", append(append([]string{"-a"}, sources...), theirs)...).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v: %s", err, out)
		}
		want := lookAt(t, theirs, true)
		inModes(t, func(t *testing.T, m limiter.Mode) {
			to := t.TempDir()
			r := newRun(Options{Sources: sources, Dest: to, Archive: true, Mode: m, ChunkSize: 64 * kib})
			var reads atomic.Int64
			r.wrap = func(d driver) driver {
				return faulty{driver: d, read: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
					if reads.Add(1)%20 == 0 {
						time.Sleep(5 * time.Millisecond) // so that the next source would overtake it
					}
					return d.pread(ctx, f, p, off)
				}}
			}
			if got, err := r.run(t.Context()); err != nil || got.ItemsFailed > 0 {
				t.Errorf("%+v, %v", got, err)
			}
			got := lookAt(t, to, true)
			got["."] = want["."] // a folder that was there before gets nothing of a source beside it
			alike(t, got, want)
		})
	}
}

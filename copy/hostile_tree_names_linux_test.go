package copy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pace/limiter"
)

// inPlaces copies src as a new tree, and twice into an existing one, and compares.
func inPlaces(t *testing.T, src string) {
	t.Helper()
	want := lookAt(t, src, false)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		dst := filepath.Join(t.TempDir(), "dst")
		o := Options{Sources: []string{src}, Dest: dst, NoTargetDir: true, Archive: true, Mode: m, ChunkSize: 64 * kib}
		mustRun(t, o)
		alike(t, lookAt(t, dst, false), want)
		o.Dest += "2"
		if err := os.Mkdir(o.Dest, 0o755); err != nil {
			t.Fatal(err)
		}
		mustRun(t, o)
		mustRun(t, o)
		alike(t, lookAt(t, o.Dest, false), want)
	})
}

// What was left of an earlier copy is in the source like everything else: it is neither taken for this run's part, nor
// written over.
func TestSourceHasParts(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	for _, dir := range []string{"dd", ".dd.pace-part", "ee"} {
		if err := os.MkdirAll(filepath.Join(src, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, n := range map[string]int{
		"x": 300 * kib, ".x.pace-part": 301 * kib, ".x.pace-journal": 100,
		"y": 70 * kib, ".y.pace-part": 30,
		"z": 80 * kib, ".z.pace-journal": 99 * kib,
		".dd.pace-journal": 50, ".dd.pace-part/f": 10, "dd/f": 11, ".ee.pace-journal": 60, "ee/f": 12,
	} {
		write(t, filepath.Join(src, name), random(n))
	}
	inPlaces(t, src)
}

// A name may fit, and the name of its part or journal not.
func TestLongNames(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	for n := 238; n <= 255; n++ {
		name := strings.Repeat("n", n)
		dir := filepath.Join(src, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), random(70_000))
		write(t, filepath.Join(dir, "small"), random(n))
	}
	inPlaces(t, src)
}

// A hard link in the place of a note is someone else's file, and is not written.
func TestPlantedNote(t *testing.T) {
	from, to := dirs(t)
	write(t, filepath.Join(from, "f"), random(10))
	victim := write(t, filepath.Join(filepath.Dir(to), "victim"), []byte("victim"))
	if err := os.Link(victim, filepath.Join(to, ".dst.pace-journal")); err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Options{Sources: []string{from}, Dest: filepath.Join(to, "dst"), Recursive: true})
	if err == nil || r.ItemsFailed != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	same(t, victim, []byte("victim"))
}

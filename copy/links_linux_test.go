package copy

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

// Names of one file in several sources are names of one file in the copy too, as with cp -a, whatever comes first.
func TestLinksBetweenSources(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	plant(t, root, "a/sub/", "b/", "c/")
	for i := range 20 {
		first := write(t, at(fmt.Sprintf("a/sub/f%d", i)), random(i*20_000))
		for _, name := range []string{"b/f%d", "x%d", "a/g%d", "y%d"} {
			if err := os.Link(first, at(fmt.Sprintf(name, i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	err := errors.Join(os.Symlink("x", at("a/sym")), unix.Link(at("a/sym"), at("sym")), unix.Link(at("a/sym"), at("b/sym")),
		unix.Mkfifo(at("fifo"), 0o600), unix.Link(at("fifo"), at("c/fifo")))
	if err != nil {
		t.Fatal(err)
	}
	for name, sources := range map[string][]string{
		"trees":                 {"a", "b"},
		"tree, then files":      {"a", "x1", "x19", "y19", "y1", "sym"},
		"files, then trees":     {"x19", "y19", "x3", "fifo", "sym", "a", "b", "c"},
		"files alone":           {"x19", "y19", "x18", "y18", "y0", "x0"},
		"contents, then a tree": {"a/.", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			var all []string
			for _, s := range sources {
				all = append(all, root+"/"+s)
			}
			theirs := t.TempDir()
			if out, err := exec.Command("cp", append(append([]string{"-a"}, all...), theirs)...).CombinedOutput(); err != nil {
				t.Fatalf("cp: %v: %s", err, out)
			}
			want := lookAt(t, theirs, true)
			inModes(t, func(t *testing.T, m limiter.Mode) {
				to := t.TempDir()
				o := Options{Sources: all, Dest: to, Archive: true, Mode: m, ChunkSize: 64 * kib}
				for range 2 { // and once more into what is there
					mustRun(t, o)
					got := lookAt(t, to, true)
					got["."], want["."] = "", "" // cp is not asked to keep its time
					alike(t, got, want)
				}
			})
		})
	}
}

// If the first name cannot be copied another one is the first, also from another source.
func TestLinksFirstFails(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		plant(t, from, "a/")
		first := write(t, filepath.Join(from, "a", "f"), random(300_000))
		x := filepath.Join(from, "x")
		if err := os.Link(first, x); err != nil {
			t.Fatal(err)
		}
		plant(t, to, "a/f/") // a folder is in its way
		r := mustStop(t, Options{Sources: []string{filepath.Join(from, "a"), x}, Dest: to, Archive: true, Mode: m, ChunkSize: 64 * kib})
		if r.ItemsFailed != 1 {
			t.Errorf("%+v", r)
		}
		same(t, filepath.Join(to, "x"), random(300_000))
	})
}

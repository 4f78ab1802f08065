package copy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"pace/limiter"
)

// On file systems that share data, auto and always share all of it, and never none. Everything else is as without.
func TestReflinkImages(t *testing.T) {
	const large = 3*mib + 12345
	inImages(t, func(t *testing.T, root string) {
		src := filepath.Join(root, "src")
		zoo(t, src)
		write(t, filepath.Join(src, "large"), random(large))
		want := lookAt(t, src, true)
		inModes(t, func(t *testing.T, m limiter.Mode) {
			for _, choice := range []Reflink{ReflinkAuto, ReflinkAlways, ReflinkNever} {
				dst := filepath.Join(root, m.String()+"-"+choice.String())
				for range 2 { // into a new tree, and then into one that is there
					r := mustRun(t, Options{
						Sources: []string{src}, Dest: dst, NoTargetDir: true, Archive: true, Mode: m, Reflink: choice,
						ChunkSize: 64 * kib,
					})
					if shares := choice != ReflinkNever; shares == (r.Bytes >= large) {
						t.Errorf("%v: %d bytes were written", choice, r.Bytes)
					}
					alike(t, lookAt(t, dst, true), want)
					got := sharedBytes(t, filepath.Join(dst, "large"))
					if choice == ReflinkNever && got > 0 || choice != ReflinkNever && got < large {
						t.Errorf("%v: %d of %d bytes are shared", choice, got, large)
					}
				}
				for _, name := range names(t, root) {
					if unfinished(filepath.Base(name)) {
						t.Errorf("%s is left", name)
					}
				}
			}
		})
	})
}

// What a run without sharing has left is taken over by one that shares, with its journal.
func TestReflinkAfterKill(t *testing.T) {
	inImages(t, func(t *testing.T, root string) {
		inModes(t, func(t *testing.T, m limiter.Mode) {
			src := write(t, filepath.Join(root, "f"), random(900_000))
			to := filepath.Join(root, "to-"+m.String())
			if err := os.Mkdir(to, 0o755); err != nil {
				t.Fatal(err)
			}
			o := Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 64 * kib, Reflink: ReflinkNever}
			stoppedAt(t, o, 13)
			if len(names(t, to)) != 2 {
				t.Fatalf("%q", names(t, to))
			}
			o.Reflink = ReflinkAlways
			if r := mustRun(t, o); r.Bytes > 0 {
				t.Errorf("%d bytes were written", r.Bytes)
			}
			same(t, filepath.Join(to, "f"), random(900_000))
			holds(t, to, "f")
		})
	})
}

// Where data cannot be shared, always fails with one line that says so, and leaves nothing; auto copies.
func TestReflinkUnsupported(t *testing.T) {
	btrfs := image(t, "btrfs")
	small, ext4 := tmpfs(t, 8*mib), image(t, "ext4")
	for name, at := range map[string][2]string{
		"on tmpfs": {small, small}, "across": {btrfs, small}, "on ext4": {ext4, ext4},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				to := filepath.Join(at[1], name+m.String())
				if err := os.Mkdir(to, 0o755); err != nil {
					t.Fatal(err)
				}
				src := write(t, filepath.Join(at[0], "f"), random(300_000))
				o := Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 64 * kib, Reflink: ReflinkAlways}
				_, err := Run(t.Context(), o)
				if err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "cannot share the data of "+src) {
					t.Errorf("got %v", err)
				}
				holds(t, to)
				o.Reflink = ReflinkAuto
				mustRun(t, o)
				same(t, filepath.Join(to, "f"), random(300_000))
				holds(t, to, "f")
			})
		})
	}
}

// A file that btrfs stores without checksums cannot be shared with one that has them: the kernel then copies its ranges.
func TestCopyRangeOnBtrfs(t *testing.T) {
	root := image(t, "btrfs")
	from := filepath.Join(root, "from")
	if err := os.Mkdir(from, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("chattr", "+C", from).CombinedOutput(); err != nil {
		t.Fatalf("chattr: %v: %s", err, out)
	}
	data := random(700_001)
	src := write(t, filepath.Join(from, "f"), data)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		to := filepath.Join(root, m.String())
		if err := os.Mkdir(to, 0o755); err != nil {
			t.Fatal(err)
		}
		r := newRun(Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 64 * kib, Verify: true})
		var ranges atomic.Int64
		r.ranges.copy = func(in, out *os.File, off int64, n int) (int, error) {
			n, err := copyRange(in, out, off, n)
			ranges.Add(int64(n))
			return n, err
		}
		report, err := r.run(t.Context())
		if err != nil || report.ItemsFailed > 0 || ranges.Load() != int64(len(data)) {
			t.Fatalf("%d bytes by ranges, %+v, %v", ranges.Load(), report, err)
		}
		same(t, filepath.Join(to, "f"), data)
		holds(t, to, "f")
	})
}

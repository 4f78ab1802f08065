package copy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

var fewNames = []string{"a", "b", "c", "d"}

// randomTree makes a small tree of everything under few names, so that two of them have much in common.
func randomTree(t *testing.T, rnd *rand.Rand, dir string, depth int, fifos bool) {
	t.Helper()
	err := os.MkdirAll(dir, 0o755)
	for _, name := range fewNames {
		path := filepath.Join(dir, name)
		if _, e := os.Lstat(path); e == nil || rnd.IntN(3) == 0 {
			continue
		}
		switch k := rnd.IntN(10); {
		case k < 4 && depth < 3:
			randomTree(t, rnd, path, depth+1, fifos)
		case k < 8:
			write(t, path, random(rnd.IntN(3)*40_000))
			when := time.Unix(1_600_000_000, rnd.Int64N(3))
			err = errors.Join(err, os.Chtimes(path, when, when))
		case k == 8:
			err = errors.Join(err, os.Symlink([]string{"a", "..", "nothing", "/"}[rnd.IntN(4)], path))
		case fifos:
			err = errors.Join(err, unix.Mkfifo(path, 0o600))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A dry run says what the real one then does, and changes nothing.
func TestDryRunIsTrue(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	maybe := func(one int) bool { return rnd.IntN(one) == 0 }
	for i := range 400 {
		root := t.TempDir()
		src, dst := filepath.Join(root, "src"), filepath.Join(root, "dst")
		randomTree(t, rnd, src, 0, true)
		if !maybe(4) {
			randomTree(t, rnd, dst, 0, false) // a file that is copied to a fifo waits for a reader
		}
		o := Options{
			Sources: []string{filepath.Join(src, []string{"", "a", "b"}[rnd.IntN(3)]) + []string{"", "/."}[rnd.IntN(2)]}, Dest: dst,
			Mode: limiter.Modes[rnd.IntN(3)], ChunkSize: 64 * kib, Recursive: true, Archive: maybe(2), NoTargetDir: maybe(4),
			NoClobber: maybe(6), Update: maybe(3), Checksum: maybe(4), Delete: maybe(2), MaxDelete: rnd.Int64N(2) * rnd.Int64N(4),
		}
		if maybe(2) {
			var err error
			rule := Rule{maybe(3), []string{"a", "/b", "c/", "a/b", "**/d"}[rnd.IntN(5)]}
			if o.Filter, err = NewFilter([]Rule{rule, {false, fewNames[rnd.IntN(4)]}}); err != nil {
				t.Fatal(err)
			}
		}
		if maybe(5) {
			o.Only = []string{"a", "b/c", "d/a/b"}
		}
		before := everything(t, root)
		dry := sayAll(t, o, true)
		if now := everything(t, root); !slices.Equal(now, before) {
			t.Fatalf("%d: the dry run of %+v has changed\n%q to\n%q", i, o, before, now)
		}
		if did := sayAll(t, o, false); !slices.Equal(did, dry) {
			t.Errorf("%d: the dry run of %+v said\n%q, the real one\n%q", i, o, dry, did)
		}
	}
}

// sayAll runs o and returns what it says, sorted, and how it ended.
func sayAll(t *testing.T, o Options, dry bool) []string {
	var said []string
	o.DryRun = dry
	o.Verbose = func(src, dst string) { said = append(said, src+" to "+dst) }
	o.Removed = func(dst string) { said = append(said, "removed "+dst) }
	r, err := Run(t.Context(), o)
	slices.Sort(said)
	return append(said, fmt.Sprint(r.ItemsFailed, " failed ", r.ItemsSkipped, " skipped ", err))
}

// everything describes each entry below root, with its inode and when it changed.
func everything(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if e := unix.Lstat(path, &st); e != nil {
			return e
		}
		all = append(all, fmt.Sprint(path, st.Ino, st.Mode, st.Size, st.Mtim, st.Ctim))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A dry run writes nothing to a device or fifo either.
func TestDryRunInPlace(t *testing.T) {
	from, to := dirs(t)
	src, fifo := write(t, filepath.Join(from, "f"), random(100)), filepath.Join(to, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(fifo, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	said := sayAll(t, Options{Sources: []string{src}, Dest: fifo, Checksum: true}, true)
	if want := []string{src + " to " + fifo, "0 failed 0 skipped <nil>"}; !slices.Equal(said, want) {
		t.Errorf("got %q, want %q", said, want)
	}
	if n, err := reader.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("it wrote %d bytes, %v", n, err)
	}
}

//go:build unix

package copy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pace/limiter"
)

// faultAt returns a run whose k-th read or write, counted from 1, is fault's.
func faultAt(o Options, k int64, fault func() error) *run {
	r := newRun(o)
	var ops atomic.Int64
	r.wrap = func(d driver) driver {
		type call = func(context.Context, *os.File, []byte, int64) (int, error)
		at := func(op call) call {
			return func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
				if ops.Add(1) == k {
					if err := fault(); err != nil {
						return 0, err
					}
				}
				return op(ctx, f, p, off)
			}
		}
		return faulty{d, at(d.pread), at(d.pwrite)}
	}
	return r
}

// Whichever operation fails, and whichever is the one in which the run is cancelled: the destination is the old file or
// the new one, nobody waits for long, and what stays of a cancelled run is what the next one goes on with.
func TestHostileEveryOperation(t *testing.T) {
	const chunk, chunks = 16 * kib, 6
	data, old := random(chunks*chunk-5), []byte("old")
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src, dst := write(t, filepath.Join(from, "f"), data), filepath.Join(to, "f")
		o := Options{Sources: []string{src}, Dest: dst, Mode: m, Workers: 3, ChunkSize: chunk, Reflink: ReflinkNever}
		for k := range int64(2*chunks + 2) {
			write(t, dst, old)
			report, err := faultAt(o, k+1, func() error { return syscall.EIO }).run(t.Context())
			if failed := report.ItemsFailed == 1; err != nil || failed != (k < 2*chunks) {
				t.Fatalf("operation %d fails: %+v, %v", k+1, report, err)
			} else if failed {
				same(t, dst, old)
			} else {
				same(t, dst, data)
			}
			holds(t, to, "f")

			write(t, dst, old)
			ctx, cancel := context.WithCancel(t.Context())
			start := time.Now()
			_, err = faultAt(o, k+1, func() error { cancel(); return nil }).run(ctx)
			if took := time.Since(start); took > 3*time.Second { // far below it on a machine that is not busy
				t.Errorf("cancelled in operation %d, it took %v", k+1, took)
			}
			cancel()
			switch {
			case errors.Is(err, context.Canceled) && k < 2*chunks:
				same(t, dst, old)
			case err == nil && k >= 2*chunks:
				same(t, dst, data)
			default:
				t.Fatalf("cancelled in operation %d: %v", k+1, err)
			}
			if _, err := os.Lstat(partPath(dst, false)); err == nil {
				holds(t, to, journalName("f", false), partName("f", false), "f")
				if r := mustRun(t, o); r.Bytes == 0 || r.Bytes >= int64(len(data)) {
					t.Errorf("cancelled in operation %d, the next run moved %d bytes", k+1, r.Bytes)
				}
				same(t, dst, data)
			}
			holds(t, to, "f")
		}
	})
}

// What other programs do to the destination while it is copied to. The run fails, and touches nothing that is not its.
func TestHostileDestination(t *testing.T) {
	data := random(200_000)
	part := func(dst string) string { return partPath(dst, false) }
	for _, tt := range []struct {
		name string
		do   func(dst string) error
		left map[string]string // names and contents under the destination's folder; nil if the folder is gone
	}{
		{"part is removed", func(dst string) error { return os.Remove(part(dst)) }, map[string]string{}},
		{"part is replaced", func(dst string) error {
			// As by a run that found none, or that copies a file of this name.
			return errors.Join(os.Remove(part(dst)), os.WriteFile(part(dst), []byte("another run's"), 0o600))
		}, map[string]string{".f.pace-part": "another run's"}},
		{"part is renamed over", func(dst string) error {
			return errors.Join(os.WriteFile(dst+"2", []byte("whole"), 0o600), os.Rename(dst+"2", part(dst)))
		}, map[string]string{".f.pace-part": "whole"}},
		{"a folder takes the name", func(dst string) error { return os.Mkdir(dst, 0o755) }, map[string]string{"f": ""}},
		{"its folder is removed", func(dst string) error { return os.RemoveAll(filepath.Dir(dst)) }, nil},
		{"its folder is replaced", func(dst string) error {
			dir := filepath.Dir(dst)
			return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755), os.WriteFile(part(dst), []byte("new"), 0o600))
		}, map[string]string{".f.pace-part": "new"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				from, to := dirs(t)
				src, dst := write(t, filepath.Join(from, "f"), data), filepath.Join(to, "f")
				o := Options{Sources: []string{src}, Dest: dst, Mode: m, ChunkSize: 16 * kib, NoTargetDir: true, Reflink: ReflinkNever}
				report, err := faultAt(o, 5, func() error { return tt.do(dst) }).run(t.Context())
				if err != nil || report.ItemsFailed != 1 || report.Items != 1 {
					t.Errorf("got %+v, %v", report, err)
				}
				if tt.left == nil {
					if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("the folder: %v", err)
					}
					return
				}
				entries, err := os.ReadDir(to)
				if err != nil || len(entries) != len(tt.left) {
					t.Errorf("left are %v, %v", entries, err)
				}
				for name, text := range tt.left {
					if b, err := os.ReadFile(filepath.Join(to, name)); text != "" && (err != nil || string(b) != text) {
						t.Errorf("%s holds %q, %v", name, b, err)
					}
				}
			})
		})
	}
}

// Another file takes the source's name: what was opened is copied, or nothing.
func TestHostileSourceReplaced(t *testing.T) {
	data := random(200_000)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, k := range []int64{1, 5} {
			from, to := dirs(t)
			src, other := write(t, filepath.Join(from, "f"), data), write(t, filepath.Join(from, "g"), random(100_000))
			o := Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 16 * kib, Reflink: ReflinkNever}
			report, err := faultAt(o, k, func() error { return os.Rename(other, src) }).run(t.Context())
			// Losing its name changes the inode too.
			if err != nil || report.ItemsFailed != 1 {
				t.Errorf("got %+v, %v", report, err)
			}
			holds(t, to)
		}
	})
}

// Many runs copy different sources to one destination. Whoever looks sees one of them, whole.
func TestHostileManyRuns(t *testing.T) {
	from, to := dirs(t)
	dst := filepath.Join(to, "f")
	var sources []string
	whole := map[int][]byte{} // by length
	for i := range 4 {
		data := random(100_000 + 7919*i)
		whole[len(data)] = data
		sources = append(sources, write(t, filepath.Join(from, fmt.Sprint(i)), data))
	}
	look := func() {
		b, err := os.ReadFile(dst)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil || !bytes.Equal(b, whole[len(b)]) {
			t.Errorf("somebody saw %d bytes that are no source, %v", len(b), err)
		}
	}
	var wg sync.WaitGroup
	var copied, locked atomic.Int64
	for i, src := range sources {
		for _, m := range limiter.Modes {
			wg.Go(func() {
				for range 15 {
					report, err := Run(t.Context(), Options{
						Sources: []string{src}, Dest: dst, Mode: m, Workers: 2, ChunkSize: 16 * kib, NoClobber: i == 3, Reflink: ReflinkNever,
					})
					var le *LockedError
					switch {
					case errors.As(err, &le):
						locked.Add(1)
					case err != nil || report.ItemsFailed != 0:
						t.Errorf("got %+v, %v", report, err)
					default:
						copied.Add(1)
					}
					look()
				}
			})
		}
	}
	wg.Wait()
	if copied.Load() == 0 {
		t.Errorf("all %d runs met a lock", locked.Load())
	}
	holds(t, to, "f")
}

// The rules of cp for names that come up twice in one run.
func TestHostileTwice(t *testing.T) {
	const part = ".a" + partSuffix
	for _, tt := range []struct {
		name            string
		sources         []string
		noClobber       bool
		failed, skipped int64
		warnings        int
		left            map[string]string
	}{
		{"the same", []string{"a", "a"}, false, 0, 1, 1, map[string]string{"a": "from a"}},
		{"the same by another path", []string{"a", "./a"}, false, 0, 1, 1, map[string]string{"a": "from a"}},
		{"the same with -n", []string{"a", "a"}, true, 0, 1, 1, map[string]string{"a": "from a"}},
		{"another with -n", []string{"a", "d/a"}, true, 0, 1, 0, map[string]string{"a": "from a"}},
		{"one that is not there, and another", []string{"gone/a", "d/a"}, false, 1, 0, 0, map[string]string{"a": "old"}},
		{"another", []string{"a", "d/a"}, false, 1, 0, 0, map[string]string{"a": "from a"}},
		{"a part left by a crash, and its file", []string{part, "a"}, false, 1, 0, 0, map[string]string{part: "precious"}},
		{"a file, and a part of its name", []string{"a", part}, false, 1, 0, 0, map[string]string{"a": "from a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				playground(t)
				write(t, part, []byte("precious"))
				if err := os.Mkdir("to", 0o755); err != nil {
					t.Fatal(err)
				}
				var log logs
				report, err := Run(t.Context(), Options{
					Sources: tt.sources, Dest: "to", Mode: m, NoClobber: tt.noClobber, Log: log.logger(),
				})
				if err != nil || report.ItemsFailed != tt.failed || report.ItemsSkipped != tt.skipped {
					t.Errorf("got %+v, %v", report, err)
				}
				if lines := log.lines(4); len(lines) != tt.warnings {
					t.Errorf("warnings %q", lines)
				}
				entries, _ := os.ReadDir("to")
				if len(entries) != len(tt.left) {
					t.Errorf("left are %v", entries)
				}
				for name, text := range tt.left {
					same(t, filepath.Join("to", name), []byte(text))
				}
			})
		})
	}
}

// A file that exists and is kept stays, where the file system cannot refuse the rename itself.
func TestHostileRenameChecked(t *testing.T) {
	playground(t)
	at := placeAt(t, "x").dir.fd()
	if err := renameChecked(at, "a", "b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	if err := renameChecked(at, "a", "gone"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a dangling link: %v", err)
	}
	if err := renameChecked(at, "a", "x"); err != nil {
		t.Errorf("to a new name: %v", err)
	}
	same(t, "b", []byte("from b"))
	same(t, "x", []byte("from a"))
}

// ofSize is a regular file of any size.
type ofSize struct {
	fs.FileInfo
	size int64
}

func (s ofSize) Size() int64       { return s.size }
func (s ofSize) Mode() fs.FileMode { return 0 }
func (s ofSize) IsDir() bool       { return false }

// The longest file that there can be has as many chunks as any other.
func TestHostileLongest(t *testing.T) {
	for _, tt := range []struct {
		size  int64
		width int
	}{{0, 1}, {1, 1}, {mib, 1}, {mib + 1, 2}, {8 * mib, 8}, {math.MaxInt64 - mib, 8}, {math.MaxInt64, 8}} {
		r := newRun(Options{Mode: limiter.Async, Workers: 8, ChunkSize: mib})
		r.items = []item{{info: ofSize{size: tt.size}}}
		r.size()
		if r.width != tt.width {
			t.Errorf("%d bytes have %d chunks in flight, want %d", tt.size, r.width, tt.width)
		}
	}
}

// What stands under the destination's name does not show in the result.
func TestHostileOldDestination(t *testing.T) {
	stamp := time.Unix(1_500_000_000, 1)
	names := []string{"a\nb", "\x1b[31mred", strings.Repeat("é", 127), "-", " "}
	if runtime.GOOS != "darwin" { // whose file systems refuse it
		names = append(names, "\xff\xfe")
	}
	data := random(70_000)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, name := range names {
			for _, mode := range []fs.FileMode{0, 0o444, 0o777} {
				from, to := dirs(t)
				src, dst := write(t, filepath.Join(from, name), data), write(t, filepath.Join(to, name), random(90_000))
				if err := errors.Join(os.Chmod(dst, mode), os.Chmod(src, 0o640), os.Chtimes(src, stamp, stamp)); err != nil {
					t.Fatal(err)
				}
				mustRun(t, Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 64 * kib})
				same(t, dst, data)
				holds(t, to, name)
				info, err := os.Stat(dst)
				if err != nil || info.Mode() != 0o640 || !info.ModTime().Equal(stamp) {
					t.Errorf("%q over a file of mode %v: %v, %v, %v", name, mode, info.Mode(), info.ModTime(), err)
				}
			}
		}
	})
}

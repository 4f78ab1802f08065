package copy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

func blocks(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

func TestSparse(t *testing.T) {
	data := slices.Concat(random(100_000), make([]byte, 3*mib), random(5000), make([]byte, 70_000), []byte{1})
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		write(t, filepath.Join(from, "large"), data)
		write(t, filepath.Join(from, "small"), data[90_000:150_000])
		holes, err := os.Create(filepath.Join(from, "holes"))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(holes.Truncate(mib), holes.Close()); err != nil {
			t.Fatal(err)
		}
		for sparse, most := range map[Sparse][3]int64{
			SparseAuto: {8 * mib, mib, 64 * kib}, SparseAlways: {mib, 32 * kib, 64 * kib}, SparseNever: {8 * mib, mib, 2 * mib},
		} {
			dst := filepath.Join(to, sparse.String())
			mustRun(t, Options{
				Sources: []string{from}, Dest: dst, Recursive: true, Mode: m, ChunkSize: 64 * kib, Sparse: sparse,
				Reflink: ReflinkNever, Verify: true,
			})
			same(t, filepath.Join(dst, "large"), data)
			same(t, filepath.Join(dst, "small"), data[90_000:150_000])
			same(t, filepath.Join(dst, "holes"), make([]byte, mib))
			for i, name := range []string{"large", "small", "holes"} {
				if got := blocks(t, filepath.Join(dst, name)); got > most[i] {
					t.Errorf("--sparse %v: %s has %d bytes on disk, want at most %d", sparse, name, got, most[i])
				}
			}
			if got := blocks(t, filepath.Join(dst, "holes")); sparse == SparseNever && got < mib {
				t.Errorf("--sparse never left holes: %d bytes on disk", got)
			}
		}
	})
}

// With --sparse always, what a killed run has written and not noted must not show through where zeros belong.
func TestSparseResume(t *testing.T) {
	from, to := dirs(t)
	src := write(t, filepath.Join(from, "f"), slices.Concat(random(128*kib), make([]byte, 512*kib)))
	o := Options{Sources: []string{src}, Dest: to, Mode: limiter.Sequential, ChunkSize: 64 * kib, Reflink: ReflinkNever}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := onRead(o, cancel).run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	part, err := os.OpenFile(filepath.Join(to, ".f"+partSuffix), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = part.WriteAt(random(200_000), 300_000)
	if err := errors.Join(err, part.Close()); err != nil {
		t.Fatal(err)
	}
	o.Sparse = SparseAlways
	if r := mustRun(t, o); r.Bytes >= 640*kib {
		t.Errorf("not resumed: %d bytes", r.Bytes)
	}
	same(t, filepath.Join(to, "f"), slices.Concat(random(128*kib), make([]byte, 512*kib)))
}

// A device that does not store what it was given is found out, and the file does not get its name.
func TestVerifyFinds(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, h := range Hashes {
			from, to := dirs(t)
			write(t, filepath.Join(from, "large"), random(300_000))
			write(t, filepath.Join(from, "small"), random(1000))
			r := newRun(Options{
				Sources: []string{from}, Dest: filepath.Join(to, "new"), Recursive: true, Mode: m, ChunkSize: 64 * kib,
				Verify: true, Hash: h, Reflink: ReflinkNever,
			})
			r.wrap = func(d driver) driver {
				return faulty{driver: d, write: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
					if off == 0 {
						p[10] ^= 1
						defer func() { p[10] ^= 1 }()
					}
					return d.pwrite(ctx, f, p, off)
				}}
			}
			report, err := r.run(t.Context())
			if err != nil || report.ItemsFailed != 2 || !strings.Contains(report.Errors[0].Error, "verification failed") {
				t.Errorf("%v: got %+v, %v", h, report, err)
			}
			holds(t, filepath.Join(to, "new"))
		}
	})
}

func TestTreeDiskFull(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, noResume := range []bool{false, true} {
			to := tmpfs(t, 2*mib)
			src := filepath.Join(t.TempDir(), "src")
			if err := os.MkdirAll(filepath.Join(src, "d"), 0o755); err != nil {
				t.Fatal(err)
			}
			for i := range 100 {
				write(t, filepath.Join(src, "d", string(rune('a'+i%26))+strings.Repeat("x", i)), random(40_000))
			}
			_, err := Run(t.Context(), Options{
				Sources: []string{src}, Dest: filepath.Join(to, "dst"), Mode: m, Recursive: true, NoResume: noResume,
			})
			var space *SpaceError
			if !errors.As(err, &space) {
				t.Fatalf("got %v", err)
			}
			if noResume {
				holds(t, to)
				continue
			}
			if err := unix.Mount("", to, "", unix.MS_REMOUNT, "size=16m"); err != nil {
				t.Fatal(err)
			}
			mustRun(t, Options{Sources: []string{src}, Dest: filepath.Join(to, "dst"), Mode: m, Recursive: true})
			alike(t, lookAt(t, filepath.Join(to, "dst"), false), lookAt(t, src, false))
			holds(t, to, "dst")
		}
	})
}

func TestOneFileSystem(t *testing.T) {
	src := t.TempDir()
	if err := os.Mkdir(filepath.Join(src, "mount"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", filepath.Join(src, "mount"), "tmpfs", 0, "size=1m"); err != nil {
		skipWithoutRight(t, err)
	}
	t.Cleanup(func() { _ = unix.Unmount(filepath.Join(src, "mount"), unix.MNT_DETACH) })
	write(t, filepath.Join(src, "mount", "f"), random(10))
	dst := filepath.Join(t.TempDir(), "dst")
	mustRun(t, Options{Sources: []string{src}, Dest: dst, Recursive: true, OneFileSystem: true})
	holds(t, dst, "mount")
	holds(t, filepath.Join(dst, "mount"))
}

func TestFsync(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		data := random(200 * mib / 100)
		write(t, filepath.Join(from, "large"), data)
		write(t, filepath.Join(from, "small"), data[:100])
		mustRun(t, Options{
			Sources: []string{from}, Dest: filepath.Join(to, "new"), Mode: m, Archive: true, Fsync: true, ChunkSize: 64 * kib,
		})
		same(t, filepath.Join(to, "new", "large"), data)
		same(t, filepath.Join(to, "new", "small"), data[:100])
		holds(t, to, "new")
	})
}

// A file in a tree is known by size and times: one that differs in its bytes alone is replaced with --checksum only.
func TestChecksum(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		for _, name := range []string{"equal", "other"} {
			write(t, filepath.Join(from, name), random(200_000))
			write(t, filepath.Join(to, name), random(200_000))
		}
		other := bytes.Clone(random(200_000))
		other[150_000] ^= 1
		write(t, filepath.Join(to, "other"), other)
		r := mustRun(t, Options{
			Sources: []string{from + "/."}, Dest: to, Mode: m, Recursive: true, Checksum: true, ChunkSize: 64 * kib,
			Reflink: ReflinkNever,
		})
		if r.ItemsSkipped != 1 || r.Bytes != 200_000 {
			t.Errorf("report %+v", r)
		}
		same(t, filepath.Join(to, "other"), random(200_000))
	})
}

// With Direct, all but an unaligned end goes past the page cache, and resumed chunks at odd places go through it.
func TestDirect(t *testing.T) {
	data := random(5*mib + 12345)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src := write(t, filepath.Join(from, "f"), data)
		o := Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 100_001, Direct: true, Reflink: ReflinkNever}
		probe, err := os.Open(src)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = probe.Close() }()
		if past, err := openPastCache(probe, os.O_RDONLY); err != nil {
			t.Skip("this file system has no direct I/O:", err)
		} else {
			_ = past.Close()
		}
		var moved, cached atomic.Int64
		r := newRun(o)
		r.wrap = func(d driver) driver {
			return faulty{driver: d, write: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
				n, err := d.pwrite(ctx, f, p, off)
				flags, _ := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
				if moved.Add(int64(n)); flags&unix.O_DIRECT == 0 {
					cached.Add(int64(n))
				}
				return n, err
			}}
		}
		if report, err := r.run(t.Context()); err != nil || report.ItemsFailed > 0 {
			t.Fatalf("got %+v, %v", report, err)
		}
		same(t, filepath.Join(to, "f"), data)
		if cached.Load() != int64(len(data))%directAlign {
			t.Errorf("%d of %d bytes went through the page cache", cached.Load(), moved.Load())
		}
	})
}

func TestFailFast(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		o := Options{Sources: []string{filepath.Join(from, "missing")}, Dest: to, Mode: m, Workers: 1}
		for i := range 50 {
			o.Sources = append(o.Sources, write(t, filepath.Join(from, fmt.Sprint(i)), random(10)))
		}
		if r := mustStop(t, o); r.Items != 51 || r.ItemsFailed != 1 {
			t.Errorf("report %+v", r)
		}
		o.Dest, o.FailFast = filepath.Join(to, "second"), true
		if err := os.Mkdir(o.Dest, 0o755); err != nil {
			t.Fatal(err)
		}
		if r := mustStop(t, o); r.ItemsFailed != 1 || r.Items > 3 {
			t.Errorf("report %+v", r)
		}
	})
}

// mustStop runs a copy of which items may fail.
func mustStop(t *testing.T, o Options) Report {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Nothing is written in a dry run, whatever the destination is.
func TestDryRun(t *testing.T) {
	from, to := dirs(t)
	src := filepath.Join(from, "src")
	zoo(t, src)
	for _, dst := range []string{filepath.Join(to, "new"), to} {
		for _, o := range []Options{{}, {Checksum: true}, {Update: true}, {Delete: true}} {
			o.Sources, o.Dest, o.Archive, o.DryRun = []string{src}, dst, true, true
			told := 0
			o.Verbose = func(string, string) { told++ }
			if r := mustRun(t, o); r.Bytes != 0 || told < 300 {
				t.Errorf("%d were told of: %+v", told, r)
			}
			holds(t, to)
		}
	}
	fifo := filepath.Join(to, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, Options{Sources: []string{filepath.Join(src, "f1")}, Dest: fifo, DryRun: true, Checksum: true})
}

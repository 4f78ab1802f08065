package copy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pace/limiter"
	"pace/limiter/redistest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(copyAsChild())
	}
	redistest.Main(m)
}

// skipWithoutRight skips a test that this process may not mount for, and fails it for any other reason.
func skipWithoutRight(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		t.Skip("the system gives no right to mount:", err)
	}
	t.Fatal("mount:", err)
}

// tmpfs mounts a file system of that many bytes, or skips the test.
func tmpfs(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(size)); err != nil {
		skipWithoutRight(t, err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestDiskFull(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		to := tmpfs(t, 4*mib)
		src := write(t, filepath.Join(t.TempDir(), "f"), random(6*mib))
		write(t, filepath.Join(to, "f"), []byte("old"))
		_, err := Run(t.Context(), Options{Sources: []string{src}, Dest: to, Mode: m})
		var space *SpaceError
		if !errors.As(err, &space) || space.Need != 6*mib || space.Free <= 0 || space.Free > 4*mib {
			t.Fatalf("got %v", err)
		}
		holds(t, to, "f")
		same(t, filepath.Join(to, "f"), []byte("old"))
	})
}

// The check passes, and somebody else takes the space before it is allocated.
func TestDiskFillsUp(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		to := tmpfs(t, 4*mib)
		src := write(t, filepath.Join(t.TempDir(), "f"), random(3*mib))
		p, err := openPart(t.Context(), placeAt(t, filepath.Join(to, "f")), meta{})
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(to, "other"), random(2*mib))
		err = preallocate(p.f, extent{0, 3 * mib})
		p.discard()
		if !noSpace(err) {
			t.Errorf("preallocation says %v", err)
		}
		// A file of one chunk is not preallocated: its write meets the end.
		r := newRun(Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 4 * mib})
		r.wrap = func(d driver) driver {
			return faulty{driver: d, read: func(ctx context.Context, f *os.File, b []byte, off int64) (int, error) {
				write(t, filepath.Join(to, "more"), random(mib))
				return d.pread(ctx, f, b, off)
			}}
		}
		if err := os.Remove(filepath.Join(to, "other")); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(to, "other"), random(mib/2))
		_, err = r.run(t.Context())
		var space *SpaceError
		if !errors.As(err, &space) {
			t.Errorf("got %v", err)
		}
		holds(t, to, "more", "other")
	})
}

func TestHoles(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src, dst := filepath.Join(from, "f"), filepath.Join(to, "f")
		f, err := os.Create(src)
		if err != nil {
			t.Fatal(err)
		}
		data := random(200_000)
		_, err1 := f.WriteAt(data, 1*mib)
		_, err2 := f.WriteAt(data, 33*mib)
		if err := errors.Join(err1, err2, f.Truncate(64*mib), f.Close()); err != nil {
			t.Fatal(err)
		}
		r := mustRun(t, Options{Sources: []string{src}, Dest: dst, Mode: m, ChunkSize: 64 * kib, Reflink: ReflinkNever})
		want, err := os.ReadFile(src)
		if err != nil {
			t.Fatal(err)
		}
		same(t, dst, want)
		var st unix.Stat_t
		if err := unix.Stat(dst, &st); err != nil {
			t.Fatal(err)
		}
		if st.Blocks*512 > mib || r.Bytes > mib {
			t.Errorf("%d bytes on disk and %d moved, for 400,000 of data", st.Blocks*512, r.Bytes)
		}
	})
}

// Files of /proc say that they are empty.
func TestProc(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		_, to := dirs(t)
		mustRun(t, Options{Sources: []string{"/proc/version"}, Dest: to, Mode: m})
		want, err := os.ReadFile("/proc/version")
		if err != nil || len(want) == 0 {
			t.Fatal(err)
		}
		same(t, filepath.Join(to, "version"), want)
	})
}

func TestFifo(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		fifo := filepath.Join(to, "fifo")
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		data := random(500_000)
		src := write(t, filepath.Join(from, "f"), data)
		got := make(chan []byte)
		go func() {
			b, err := os.ReadFile(fifo)
			if err != nil {
				t.Error(err)
			}
			got <- b
		}()
		r := mustRun(t, Options{Sources: []string{src}, Dest: fifo, Mode: m, ChunkSize: 64 * kib})
		if b := <-got; string(b) != string(data) || r.Bytes != int64(len(data)) {
			t.Errorf("%d bytes came through the fifo, %d are reported", len(b), r.Bytes)
		}
		holds(t, to, "fifo")
		// As a source it would never end.
		if _, err := Run(t.Context(), Options{Sources: []string{fifo}, Dest: src, Mode: m}); err == nil ||
			!strings.Contains(err.Error(), "is a fifo") {
			t.Errorf("a fifo as source: %v", err)
		}
	})
}

// Nobody opens the fifo, or somebody opens it and does not read: both can be cancelled.
func TestFifoCancel(t *testing.T) {
	for name, flag := range map[string]int{"no reader": -1, "idle reader": os.O_RDONLY} {
		t.Run(name, func(t *testing.T) {
			from, to := dirs(t)
			fifo := filepath.Join(to, "fifo")
			if err := unix.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			src := write(t, filepath.Join(from, "f"), random(500_000))
			if flag >= 0 {
				f, err := os.OpenFile(fifo, flag|unix.O_NONBLOCK, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = f.Close() }()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := Run(ctx, Options{Sources: []string{src}, Dest: fifo}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDevice(t *testing.T) {
	from, _ := dirs(t)
	src := write(t, filepath.Join(from, "f"), random(500_000))
	inModes(t, func(t *testing.T, m limiter.Mode) {
		if r := mustRun(t, Options{Sources: []string{src}, Dest: os.DevNull, Mode: m}); r.Bytes != 500_000 {
			t.Errorf("report %+v", r)
		}
		info, err := os.Stat(os.DevNull)
		if err != nil || info.Mode().Type() != os.ModeDevice|os.ModeCharDevice {
			t.Fatalf("%s is now %v, %v", os.DevNull, info.Mode(), err)
		}
		var space *SpaceError
		if _, err := Run(t.Context(), Options{Sources: []string{src}, Dest: "/dev/full", Mode: m}); !errors.As(err, &space) {
			t.Errorf("/dev/full: %v", err)
		}
	})
}

func TestReflinkAlways(t *testing.T) {
	from, to := dirs(t)
	data := random(500_000)
	src := write(t, filepath.Join(from, "f"), data)
	can := canClone(t, src, filepath.Join(from, "probe"))
	r, err := Run(t.Context(), Options{Sources: []string{src}, Dest: to, Reflink: ReflinkAlways})
	if !can {
		if err == nil || !strings.Contains(err.Error(), "cannot share the data") {
			t.Errorf("got %v", err)
		}
		holds(t, to)
		return
	}
	if err != nil || r.Bytes != 0 {
		t.Fatalf("got %+v, %v", r, err)
	}
	same(t, filepath.Join(to, "f"), data)
}

func canClone(t *testing.T, src, dst string) bool {
	in, err1 := os.Open(src)
	out, err2 := os.Create(dst)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	err := unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
	if err := errors.Join(in.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return err == nil
}

// count returns how many entries a folder of /proc/self has.
func count(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc/self", dir))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Runs of all kinds leave no descriptor and no thread behind, the kernel's workers for the ring included.
func TestNothingLeaks(t *testing.T) {
	from, to := dirs(t)
	src := write(t, filepath.Join(from, "f"), random(mib))
	round := func() {
		for _, m := range limiter.Modes {
			o := Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 64 * kib, Workers: 8, Reflink: ReflinkNever}
			mustRun(t, o)
			ctx, cancel := context.WithCancel(t.Context())
			if _, err := onRead(o, cancel).run(ctx); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
		}
	}
	round() // the runtime starts threads that it keeps
	fds, threads := count(t, "fd"), count(t, "task")
	for range 5 {
		round()
	}
	if n := count(t, "fd"); n != fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
	// Each round uses 16 threads of workers and 2 of rings; they end a moment after their goroutines.
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if n := count(t, "task"); n <= threads+4 {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%d threads, %d before", n, threads)
		}
	}
}

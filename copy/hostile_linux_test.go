package copy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

// childEnv makes this program copy from one path to another and end, for tests that kill it. Its value is the mode.
const childEnv = "PACE_HOSTILE_COPY"

func copyAsChild() int {
	var m limiter.Mode
	err := m.UnmarshalText([]byte(os.Getenv(childEnv)))
	if err == nil {
		_, err = Run(context.Background(), Options{
			Sources: []string{os.Args[1]}, Dest: os.Args[2], Mode: m, ChunkSize: 256 * kib, Reflink: ReflinkNever,
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A run that is killed leaves the old file or the new one, and is not in the way of the next.
func TestHostileKilled(t *testing.T) {
	from, to := dirs(t)
	data, old := random(64*mib), []byte("old")
	src, dst := write(t, filepath.Join(from, "f"), data), filepath.Join(to, "f")
	inModes(t, func(t *testing.T, m limiter.Mode) {
		midway := 0
		for range 8 {
			write(t, dst, old)
			killed(t, m, src, dst)
			if got, err := os.ReadFile(dst); err != nil || !bytes.Equal(got, data) && !bytes.Equal(got, old) {
				t.Fatalf("under the final name are %d bytes, %v", len(got), err)
			}
			if _, err := os.Stat(partPath(dst, false)); err == nil {
				midway++
			}
		}
		if midway == 0 {
			t.Error("no run was killed midway")
		}
		// At once: a ring's files may be let go of after its process has gone.
		mustRun(t, Options{Sources: []string{src}, Dest: dst, Mode: m, Reflink: ReflinkNever})
		same(t, dst, data)
		holds(t, to, "f")
	})
}

// killed starts a run in a process of its own, and kills it a moment after its part file is there.
func killed(t *testing.T, m limiter.Mode, src, dst string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], src, dst)
	cmd.Env = append(os.Environ(), childEnv+"="+m.String())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{}, 1)
	go func() { _ = cmd.Wait(); ended <- struct{}{} }() // killed, or done before
	for len(ended) == 0 {
		if _, err := os.Stat(partPath(dst, false)); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Duration(rand.IntN(25)) * time.Millisecond)
	_ = cmd.Process.Kill()
	<-ended
	if stderr.Len() > 0 {
		t.Errorf("the run said %s", stderr.String())
	}
}

// A chunk of any length can be cancelled: no call moves much of it, and none begins afterwards.
func TestHostileLongChunk(t *testing.T) {
	src := write(t, filepath.Join(t.TempDir(), "f"), nil)
	if err := os.Truncate(src, 3*maxCall); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(src, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	inModes(t, func(t *testing.T, m limiter.Mode) {
		r := newRun(Options{Mode: m})
		r.width, r.chunk = 1, 3*maxCall
		d, _ := r.openDriver()
		defer func() {
			if err := d.close(); err != nil {
				t.Error(err)
			}
		}()
		ctx, cancel := context.WithCancel(t.Context())
		b := d.buffer()
		for name, op := range map[string]func(context.Context, *os.File, []byte, int64) (int, error){
			"pread": d.pread, "pwrite": d.pwrite,
		} {
			if n, err := op(ctx, f, b, 0); n == 0 || n > maxCall || err != nil {
				t.Errorf("%s moves %d, %v", name, n, err)
			}
		}
		cancel()
		for name, op := range map[string]func(context.Context, *os.File, []byte, int64) (int, error){
			"pread": d.pread, "pwrite": d.pwrite,
		} {
			if n, err := op(ctx, f, b, 0); n != 0 || !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled, %s moves %d, %v", name, n, err)
			}
		}
	})
}

// Taking much space is cancelled between slices.
func TestHostileCancelRoom(t *testing.T) {
	playground(t)
	p, err := openPart(t.Context(), placeAt(t, "x"), meta{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.discard()
	f := &incoming{run: newRun(Options{}), part: p, extents: []extent{{0, 2 * roomSlice}}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.makeRoom(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(p.f.Fd()), &st); err != nil || st.Blocks != 0 {
		t.Errorf("%d blocks were taken, %v", st.Blocks, err)
	}
}

// Files whose size is not the truth.
func TestHostileSizes(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, src := range []string{
			"/sys/class/net/lo/mtu", "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/version", "/proc/self/cmdline",
			"/proc/self/environ", "/proc/kallsyms",
		} {
			want, err := os.ReadFile(src)
			if err != nil {
				continue // not every kernel has every one
			}
			to := t.TempDir()
			if src == "/proc/cpuinfo" {
				want = nil // clock rates change
			}
			r := mustRun(t, Options{Sources: []string{src}, Dest: to, Mode: m, ChunkSize: 4099})
			got, err := os.ReadFile(filepath.Join(to, filepath.Base(src)))
			if err != nil || len(got) == 0 || want != nil && !bytes.Equal(got, want) || r.Bytes != int64(len(got)) {
				t.Errorf("%s: %d bytes of %d, %d reported, %v", src, len(got), len(want), r.Bytes, err)
			}
		}
		// It looks the same as one of /sys, and has its size.
		from, to := dirs(t)
		hole := write(t, filepath.Join(from, "hole"), nil)
		if err := os.Truncate(hole, 4000); err != nil {
			t.Fatal(err)
		}
		mustRun(t, Options{Sources: []string{hole}, Dest: to, Mode: m})
		same(t, filepath.Join(to, "hole"), make([]byte, 4000))
	})
}

// A sparse file of far more than 4 GiB keeps its holes and all that is between them.
func TestHostileSparse(t *testing.T) {
	from, to := dirs(t)
	src, dst := filepath.Join(from, "f"), filepath.Join(to, "f")
	f, err := os.Create(src)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	data := random(10_007)
	offs := []int64{0, 1<<31 - 5000, 1<<32 - 1, 1<<40 + 3}
	for _, off := range offs {
		if _, err := f.WriteAt(data, off); err != nil {
			t.Skip("no file of a TiB here:", err)
		}
	}
	if err := f.Truncate(1<<40 + mib); err != nil {
		t.Fatal(err)
	}
	inModes(t, func(t *testing.T, m limiter.Mode) {
		mustRun(t, Options{Sources: []string{src}, Dest: dst, Mode: m, ChunkSize: 4 * kib, Reflink: ReflinkNever})
		out, err := os.Open(dst)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = out.Close() }()
		got := make([]byte, len(data))
		for _, off := range offs {
			if _, err := out.ReadAt(got, off); err != nil || !bytes.Equal(got, data) {
				t.Errorf("at %d: other bytes, %v", off, err)
			}
		}
		info, err := out.Stat()
		if err != nil || info.Size() != 1<<40+mib || info.Sys().(*syscall.Stat_t).Blocks > 400 {
			t.Errorf("got %+v, %v", info.Sys(), err)
		}
	})
}

// Times that a count of nanoseconds cannot hold.
func TestHostileTimes(t *testing.T) {
	for _, stamp := range []int64{-1, -2_000_000_000, 1<<33 + 7, 13_000_000_000} {
		from, to := dirs(t)
		src := write(t, filepath.Join(from, "f"), random(100))
		ts := []unix.Timespec{{Sec: stamp, Nsec: 999_999_999}, {Sec: stamp, Nsec: 999_999_999}}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, src, ts, 0); err != nil {
			t.Fatal(err)
		}
		mustRun(t, Options{Sources: []string{src}, Dest: to})
		want, err1 := os.Stat(src)
		got, err2 := os.Stat(filepath.Join(to, "f"))
		if err1 != nil || err2 != nil || !got.ModTime().Equal(want.ModTime()) {
			t.Errorf("%v became %v; %v, %v", want.ModTime(), got.ModTime(), err1, err2)
		}
	}
}

// The mode is the source's whatever the umask says; the group is the folder's where that is so.
func TestHostileUmask(t *testing.T) {
	old := unix.Umask(0o777)
	unix.Umask(old)
	for _, mask := range []int{0, 0o077, 0o777} {
		from, to := dirs(t)
		src := write(t, filepath.Join(from, "f"), random(100))
		if err := errors.Join(os.Chmod(src, 0o646), os.Chown(to, -1, os.Getegid()), os.Chmod(to, 0o755|os.ModeSetgid)); err != nil {
			t.Fatal(err)
		}
		unix.Umask(mask)
		_, err := Run(t.Context(), Options{Sources: []string{src}, Dest: to})
		unix.Umask(old)
		info, err1 := os.Stat(filepath.Join(to, "f"))
		if err := errors.Join(err, err1); err != nil || info.Mode() != 0o646 {
			t.Errorf("umask %o: %v, %v", mask, info, err)
		}
	}
}

// A file system that fills up while a file of unknown size is written to it.
func TestHostileFullStream(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		to := tmpfs(t, 256*kib)
		write(t, filepath.Join(to, "kallsyms"), []byte("old"))
		if b, err := os.ReadFile("/proc/kallsyms"); err != nil || len(b) < 512*kib {
			t.Skip("no large file of /proc")
		}
		_, err := Run(t.Context(), Options{Sources: []string{"/proc/kallsyms"}, Dest: to, Mode: m})
		var space *SpaceError
		if !errors.As(err, &space) {
			t.Errorf("got %v", err)
		}
		same(t, filepath.Join(to, "kallsyms"), []byte("old"))
		holds(t, to, "kallsyms")
	})
}

// Runs that succeed, fail and are cancelled leave no descriptor, thread, mapping or goroutine.
func TestHostileLeaks(t *testing.T) {
	from, to := dirs(t)
	src := write(t, filepath.Join(from, "f"), random(200_000))
	round := func() {
		for _, m := range limiter.Modes {
			o := Options{Sources: []string{src, src + "x"}, Dest: to, Mode: m, ChunkSize: 16 * kib, Workers: 4, Reflink: ReflinkNever}
			for k := range int64(4) {
				_, _ = faultAt(o, 4*k+1, func() error { return syscall.EIO }).run(t.Context())
				ctx, cancel := context.WithCancel(t.Context())
				_, _ = faultAt(o, 4*k+1, func() error { cancel(); return nil }).run(ctx)
				cancel()
			}
			_, _ = Run(t.Context(), o)
		}
	}
	maps := func() int {
		b, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(b), "io_uring")
	}
	round()
	fds, threads := count(t, "fd"), count(t, "task")
	for range 4 {
		round()
	}
	if n := count(t, "fd"); n != fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
	if n := maps(); n != 0 {
		t.Errorf("%d mappings of rings", n)
	}
	for deadline := time.Now().Add(5 * time.Second); count(t, "task") > threads+4; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d threads, %d before", count(t, "task"), threads)
		}
	}
	holds(t, to, "f")
}

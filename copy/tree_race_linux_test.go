package copy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

// Someone who may write to the destination puts a link to another folder where the copy has one, again and again: no
// byte gets there.
func TestSwappedFolder(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		root := t.TempDir()
		src, dst, outside := filepath.Join(root, "src"), filepath.Join(root, "dst"), filepath.Join(root, "outside")
		for _, dir := range []string{filepath.Join(src, "sub/deep"), filepath.Join(dst, "sub/deep"), outside, outside + "/deep"} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 40 {
			write(t, filepath.Join(src, "sub", fmt.Sprint(i)), random(100))
			write(t, filepath.Join(src, "sub/deep", fmt.Sprint(i)), random(70_000))
		}
		sub, link := filepath.Join(dst, "sub"), filepath.Join(dst, "link")
		if err := os.Symlink(outside, link); err != nil {
			t.Fatal(err)
		}
		var swaps atomic.Int64
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				if unix.Renameat2(unix.AT_FDCWD, sub, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE) == nil {
					swaps.Add(1)
				}
			}
		}()
		for range 5 {
			_, err := Run(t.Context(), Options{
				Sources: []string{src + "/."}, Dest: dst, Mode: m, Archive: true, ChunkSize: 64 * kib, Delete: true,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		stop()
		<-done
		if swaps.Load() == 0 {
			t.Skip("this file system cannot exchange names")
		}
		holds(t, outside, "deep")
		holds(t, filepath.Join(outside, "deep"))
	})
}

// What a stopped run has left of a new tree is taken over: nothing that is whole is copied again, and nothing that the
// source has no more comes along.
func TestTreeResumes(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src, dst := filepath.Join(from, "src"), filepath.Join(to, "dst")
		zoo(t, src)
		want := lookAt(t, src, true)
		write(t, filepath.Join(src, "deep", "gone"), random(10))
		ctx, cancel := context.WithCancel(t.Context())
		r := newRun(Options{Sources: []string{src}, Dest: dst, Mode: m, Archive: true, ChunkSize: 64 * kib, Reflink: ReflinkNever})
		var reads atomic.Int64
		r.wrap = func(d driver) driver {
			return faulty{driver: d, read: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
				if reads.Add(1) == 150 {
					cancel()
				}
				return d.pread(ctx, f, p, off)
			}}
		}
		first, err := r.run(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		if _, err := os.Lstat(dst); err == nil {
			t.Fatal("the tree has its name")
		}
		if err := os.Remove(filepath.Join(src, "deep", "gone")); err != nil {
			t.Fatal(err)
		}
		stamp := unix.NsecToTimespec(1_600_000_000_000_000_000)
		ts := []unix.Timespec{stamp, stamp}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(src, "deep"), ts, 0); err != nil {
			t.Fatal(err)
		}
		want["deep"] = lookAt(t, src, true)["deep"]
		next := mustRun(t, Options{
			Sources: []string{src}, Dest: dst, Mode: (m + 1) % 3, Archive: true, ChunkSize: 64 * kib, Reflink: ReflinkNever,
		})
		alike(t, lookAt(t, dst, true), want)
		holds(t, to, "dst")
		whole := mustRun(t, Options{
			Sources: []string{src}, Dest: dst + "2", Mode: m, Archive: true, ChunkSize: 64 * kib, Reflink: ReflinkNever,
		})
		if first.Bytes == 0 || next.Bytes > whole.Bytes-first.Bytes/2 {
			t.Errorf("%d bytes, then %d, of %d", first.Bytes, next.Bytes, whole.Bytes)
		}
	})
}

// A directory that cannot be read is one failed item; the rest is copied, and nothing is removed for it.
func TestUnreadableFolder(t *testing.T) {
	if asNobody(t) {
		return
	}
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		for _, dir := range []string{from, to} {
			if err := os.Mkdir(filepath.Join(dir, "secret"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		write(t, filepath.Join(from, "a"), random(10))
		write(t, filepath.Join(to, "secret", "kept"), random(10))
		if err := os.Chmod(filepath.Join(from, "secret"), 0); err != nil {
			t.Fatal(err)
		}
		r, err := Run(t.Context(), Options{Sources: []string{from + "/."}, Dest: to, Mode: m, Recursive: true, Delete: true})
		if err != nil || r.ItemsFailed != 1 {
			t.Errorf("got %+v, %v", r, err)
		}
		holds(t, filepath.Join(to, "secret"), "kept")
		same(t, filepath.Join(to, "a"), random(10))
	})
}

// What an earlier boot has left of a tree may have lost its data: everything is copied again.
func TestTreeOfAnotherBoot(t *testing.T) {
	from, to := dirs(t)
	src, part := filepath.Join(from, "src"), filepath.Join(to, ".dst"+partSuffix)
	if err := errors.Join(os.Mkdir(src, 0o755), os.Mkdir(part, 0o700)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(src, "f"), random(1000))
	info, err := os.Stat(filepath.Join(src, "f"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(part, "f"), make([]byte, 1000))
	if err := os.Chtimes(filepath.Join(part, "f"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(to, ".dst"+journalSuffix), []byte("pace tree 1\nanother boot\n1 2\n"))
	var log logs
	o := Options{Sources: []string{src}, Dest: filepath.Join(to, "dst"), Recursive: true, Log: log.logger()}
	if r := mustRun(t, o); r.Bytes != 1000 {
		t.Errorf("%d bytes", r.Bytes)
	}
	same(t, filepath.Join(to, "dst", "f"), random(1000))
	holds(t, to, "dst")
	if lines := log.lines(4); len(lines) != 1 || !strings.Contains(lines[0], "starting over") {
		t.Errorf("logged %q", lines)
	}
}

package copy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

// limited mounts a tmpfs with options, or skips the test.
func limited(t *testing.T, options string) string {
	t.Helper()
	dir := tmpfs(t, 4*mib)
	remount(t, dir, options)
	return dir
}

func remount(t *testing.T, dir, options string) {
	t.Helper()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, options); err != nil {
		t.Fatal(err)
	}
}

// A tree that cannot fit is stopped when so much of it has been seen: the error says what it needs and what there is,
// nothing has its final name, and with more room the next run goes on.
func TestTreeDoesNotFit(t *testing.T) {
	for name, tt := range map[string]struct {
		grow       func(t *testing.T, src string)
		has, wants string // mount options
		inodes     bool
		most       int64 // bytes that the first run may copy
	}{
		"large files": {func(t *testing.T, src string) {
			for i := range 12 {
				write(t, filepath.Join(src, fmt.Sprint(i)), random(mib))
			}
		}, "size=6m", "size=24m", false, 5 * mib},
		"small files": {func(t *testing.T, src string) {
			for i := range 300 {
				plant(t, src, fmt.Sprintf("d%d/", i%7))
				write(t, filepath.Join(src, fmt.Sprintf("d%d/%d", i%7, i)), random(20_000))
			}
		}, "size=4m", "size=16m", false, 4 * mib},
		"empty files": {func(t *testing.T, src string) {
			for i := range 300 {
				plant(t, src, fmt.Sprintf("d%d/", i%7))
				write(t, filepath.Join(src, fmt.Sprintf("d%d/%d", i%7, i)), nil)
			}
		}, "size=4m,nr_inodes=100", "size=4m,nr_inodes=500", true, 1},
		"folders": {func(t *testing.T, src string) {
			for i := range 300 {
				plant(t, src, fmt.Sprintf("%d/%d/", i%7, i))
			}
		}, "size=4m,nr_inodes=100", "size=4m,nr_inodes=500", true, 1},
		"links": {func(t *testing.T, src string) {
			for i := range 300 {
				if err := os.Symlink("x", filepath.Join(src, fmt.Sprint(i))); err != nil {
					t.Fatal(err)
				}
			}
		}, "size=4m,nr_inodes=100", "size=4m,nr_inodes=500", true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			src := filepath.Join(t.TempDir(), "src")
			plant(t, src, "x")
			tt.grow(t, src)
			inModes(t, func(t *testing.T, m limiter.Mode) {
				for _, dst := range []string{"new", "old"} {
					to := limited(t, tt.has)
					plant(t, to, "old/")
					o := Options{
						Sources: []string{src}, Dest: filepath.Join(to, dst), NoTargetDir: true, Mode: m, Archive: true,
						ChunkSize: 64 * kib, Workers: 2,
					}
					r, err := Run(t.Context(), o)
					var space *SpaceError
					if !errors.As(err, &space) || space.Inodes != tt.inodes || space.Need <= space.Free || space.Free < 0 {
						t.Fatalf("got %+v, %v", r, err)
					}
					if want := fmt.Sprintf("%d ", space.Need); !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), o.Dest) {
						t.Errorf("it says %q", err)
					}
					if r.Bytes > tt.most {
						t.Errorf("stopped after %d bytes", r.Bytes)
					}
					if _, err := os.Lstat(filepath.Join(to, "new")); err == nil {
						t.Error("the tree has its name")
					}
					remount(t, to, tt.wants)
					next := mustRun(t, o)
					if total := r.Bytes + next.Bytes; dst == "new" && total > 12*mib+2*64*kib+2*20_000*batchLen+1 {
						t.Errorf("%d bytes, then %d", r.Bytes, next.Bytes)
					}
					alike(t, lookAt(t, o.Dest, true), lookAt(t, src, true))
				}
			})
		})
	}
}

// What needs no room is not counted: holes, further names of a file, what is replaced, what was copied before.
func TestRoomIsNotOvercounted(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		src := t.TempDir()
		for i := range 3 {
			holes, err := os.Create(filepath.Join(src, fmt.Sprint("holes", i)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = holes.WriteAt(random(70_000), 5*mib)
			if err := errors.Join(err, holes.Truncate(100*mib), holes.Close()); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 40 {
			if i == 0 {
				write(t, filepath.Join(src, "0"), random(mib))
			} else if err := os.Link(filepath.Join(src, "0"), filepath.Join(src, fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		to := limited(t, "size=3m,nr_inodes=60") // tmpfs counts each name of a file
		o := Options{Sources: []string{src}, Dest: filepath.Join(to, "new"), Archive: true, Mode: m, ChunkSize: 64 * kib, Workers: 1}
		mustRun(t, o)
		alike(t, lookAt(t, o.Dest, true), lookAt(t, src, true))
		o.NoTargetDir = true
		mustRun(t, o) // in its place, file by file
		alike(t, lookAt(t, o.Dest, true), lookAt(t, src, true))
	})
}

// What an earlier run has taken for a large file is there already.
func TestRoomOfResumed(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, dst := range []string{"new", "old"} {
			src := t.TempDir()
			write(t, filepath.Join(src, "f"), random(3*mib))
			to := limited(t, "size=4m")
			plant(t, to, "old/")
			o := Options{
				Sources: []string{src}, Dest: filepath.Join(to, dst), NoTargetDir: true, Archive: true, Mode: m,
				ChunkSize: 64 * kib, Workers: 2,
			}
			stoppedAt(t, o, 20)
			if r := mustRun(t, o); r.Bytes > 2*mib+mib/2 {
				t.Errorf("%d bytes were copied again", r.Bytes)
			}
			alike(t, lookAt(t, o.Dest, false), lookAt(t, src, false))
		}
	})
}

// Data that is shared needs no room.
func TestRoomOfShared(t *testing.T) {
	inImages(t, func(t *testing.T, root string) {
		src := filepath.Join(root, "src")
		plant(t, src, "small")
		write(t, filepath.Join(src, "large"), random(48*mib)) // with its copies more than the image has
		inModes(t, func(t *testing.T, m limiter.Mode) {
			for i := range 2 {
				dst := filepath.Join(root, fmt.Sprint(m, i))
				if r := mustRun(t, Options{Sources: []string{src}, Dest: dst, Recursive: true, Mode: m}); r.Bytes > kib {
					t.Errorf("%d bytes were written", r.Bytes)
				}
				if got := sharedBytes(t, filepath.Join(dst, "large")); got < 48*mib {
					t.Errorf("%d bytes are shared", got)
				}
				holds(t, dst, "large", "small")
			}
		})
	})
}

// Another file system that is mounted in the destination has its own room.
func TestRoomOfMount(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		src := t.TempDir()
		plant(t, src, "sub/deep/x")
		write(t, filepath.Join(src, "sub/deep/large"), random(3*mib))
		to := limited(t, "size=1m")
		plant(t, to, "sub/")
		if err := unix.Mount("tmpfs", filepath.Join(to, "sub"), "tmpfs", 0, "size=8m"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(filepath.Join(to, "sub"), unix.MNT_DETACH) })
		mustRun(t, Options{Sources: []string{src + "/."}, Dest: to, Archive: true, Mode: m, ChunkSize: 64 * kib})
		alike(t, lookAt(t, to, true), lookAt(t, src, true))
	})
}

package copy

import (
	"context"
	"encoding/binary"
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

// stoppedAt runs o and cancels it with the read of that number.
func stoppedAt(t *testing.T, o Options, reads int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := newRun(o)
	var count atomic.Int64
	r.wrap = func(d driver) driver {
		return faulty{driver: d, read: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
			if count.Add(1) == reads {
				cancel()
			}
			return d.pread(ctx, f, p, off)
		}}
	}
	if _, err := r.run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("it was not stopped: %v", err)
	}
}

// The source changes between a run that was stopped and the next one, or what is asked for does. There is nothing of
// before in the result.
func TestStaleParts(t *testing.T) {
	const files = 60
	name := func(src string, i int) string { return filepath.Join(src, fmt.Sprintf("sub%d/%d", i%3, i)) }
	keepTimes := func(t *testing.T, path string, change func() error) {
		var st unix.Stat_t
		err := unix.Lstat(path, &st)
		if err == nil {
			err = change()
		}
		if err == nil {
			err = unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for what, change := range map[string]func(t *testing.T, src string, i int, o *Options) error{
		"nothing": func(*testing.T, string, int, *Options) error { return nil },
		"bytes, not size and time": func(t *testing.T, src string, i int, _ *Options) error {
			keepTimes(t, name(src, i), func() error { return os.WriteFile(name(src, i), random(1000 + i)[i:], 0o644) })
			return nil
		},
		"mode":    func(_ *testing.T, src string, i int, _ *Options) error { return os.Chmod(name(src, i), 0o711) },
		"to -a":   func(_ *testing.T, _ string, _ int, o *Options) error { o.Archive = true; return nil },
		"no more": func(_ *testing.T, src string, i int, _ *Options) error { return os.Remove(name(src, i)) },
		"to folder": func(_ *testing.T, src string, i int, _ *Options) error {
			return errors.Join(os.Remove(name(src, i)), os.MkdirAll(name(src, i)+"/x", 0o755))
		},
		"to link": func(_ *testing.T, src string, i int, o *Options) error {
			o.NoClobber = true
			return errors.Join(os.Remove(name(src, i)), os.Symlink("new", name(src, i)))
		},
		"links": func(_ *testing.T, src string, i int, o *Options) error {
			o.NoClobber = true
			link := name(src, i) + "l"
			return errors.Join(os.Remove(link), os.Symlink("new", link))
		},
		"folder to file": func(_ *testing.T, src string, i int, _ *Options) error {
			dir := filepath.Dir(name(src, i))
			if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
				return err
			}
			return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, random(i), 0o644))
		},
		"folder to link": func(_ *testing.T, src string, i int, _ *Options) error {
			dir := filepath.Dir(name(src, i))
			if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
				return err
			}
			return errors.Join(os.RemoveAll(dir), os.Symlink("/", dir))
		},
	} {
		t.Run(what, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				from, to := dirs(t)
				src := filepath.Join(from, "src")
				for i := range files {
					if err := os.MkdirAll(filepath.Dir(name(src, i)), 0o755); err != nil {
						t.Fatal(err)
					}
					write(t, name(src, i), random(1000))
					err := os.Chmod(name(src, i), 0o755|os.ModeSetuid)
					if err == nil {
						err = os.Symlink("old", name(src, i)+"l")
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				o := Options{Sources: []string{src}, Dest: filepath.Join(to, "dst"), Recursive: true, Mode: m, ChunkSize: 64 * kib}
				stoppedAt(t, o, 45)
				for i := range files {
					if err := change(t, src, i, &o); err != nil {
						t.Fatal(err)
					}
				}
				o.Mode = (m + 1) % 3
				mustRun(t, o)
				alike(t, lookAt(t, o.Dest, o.Archive), lookAt(t, src, o.Archive))
				holds(t, to, "dst")
			})
		})
	}
}

// A run that was killed between the change of owner and the name has left a part that is not ours any more. It is taken
// back, but only from the owner that this run would give it to.
func TestPartGivenAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, owner := range []int{12, 13} {
			from, to := dirs(t)
			plant(t, from, "f", "sub/g")
			plant(t, to, "f", ".f.pace-part", ".sub.pace-part/g", ".sub.pace-part/more")
			err := errors.Join(
				os.Chown(filepath.Join(from, "f"), 12, 34), os.Chown(filepath.Join(from, "sub"), 12, 34),
				os.Chown(filepath.Join(to, ".f.pace-part"), owner, 34), os.Chown(filepath.Join(to, ".sub.pace-part"), owner, 34),
				os.Chmod(filepath.Join(to, ".f.pace-part"), 0o755|os.ModeSetuid), os.Chmod(filepath.Join(to, ".sub.pace-part"), 0o555),
			)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Run(t.Context(), Options{Sources: []string{from + "/."}, Dest: to, Archive: true, Mode: m})
			if err != nil {
				t.Fatal(err)
			}
			if owner == 12 {
				alike(t, lookAt(t, to, true), lookAt(t, from, true))
			} else if r.ItemsFailed != 1 {
				// Another's plain file is removed and the copy begun anew; another's folder may hold what is his.
				t.Errorf("%d failed", r.ItemsFailed)
			}
		}
	})
}

// An update goes on with the links of files that a killed one has copied: what is up to date is linked, not copied apart.
func TestUpdateLinks(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		first := write(t, filepath.Join(from, "a"), random(300*kib))
		for _, name := range []string{"b", "c", "newer"} {
			if err := os.Link(first, filepath.Join(from, name)); err != nil {
				t.Fatal(err)
			}
		}
		o := Options{Sources: []string{from + "/."}, Dest: to, Archive: true, Mode: m, ChunkSize: 64 * kib}
		mustRun(t, o)
		newer := filepath.Join(to, "newer")
		err := errors.Join(os.Remove(filepath.Join(to, "b")), os.Remove(filepath.Join(to, "c")), os.Remove(newer))
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(first)
		if err != nil {
			t.Fatal(err)
		}
		apart := write(t, filepath.Join(to, "c"), random(300*kib))
		write(t, newer, []byte("newer"))
		if err := os.Chtimes(apart, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		o.Update = true
		for range 2 {
			mustRun(t, o)
			same(t, newer, []byte("newer"))
			if err := os.Remove(newer); err != nil {
				t.Fatal(err)
			}
			got, want := lookAt(t, to, true), lookAt(t, from, true)
			delete(want, "newer")
			got["."] = want["."]
			alike(t, got, want)
			write(t, newer, []byte("newer"))
		}
		if r := mustRun(t, o); r.ItemsSkipped != 4 || r.Bytes != 0 {
			t.Errorf("%+v", r)
		}
	})
}

// Links and special files have their names only when they are whole: an update of what a killed run has left would keep
// one that is newer than its source.
func TestSpecialIsWhole(t *testing.T) {
	from, to := dirs(t)
	target := strings.Repeat("x", 20)
	err := errors.Join(os.Symlink(target, filepath.Join(from, "link")), unix.Mkfifo(filepath.Join(from, "fifo"), 0o604))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(watch) }()
	if _, err := unix.InotifyAddWatch(watch, to, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ATTRIB); err != nil {
		t.Fatal(err)
	}
	mustRun(t, Options{Sources: []string{from + "/."}, Dest: to, Archive: true})
	buf := make([]byte, 64*kib)
	n, err := unix.Read(watch, buf)
	if err != nil {
		t.Fatal(err)
	}
	for buf = buf[:n]; len(buf) > 0; {
		mask, length := binary.NativeEndian.Uint32(buf[4:]), binary.NativeEndian.Uint32(buf[12:])
		name := strings.TrimRight(string(buf[16:16+length]), "\x00")
		if seen[name] = true; (name == "link" || name == "fifo") && mask&unix.IN_MOVED_TO == 0 {
			t.Errorf("%s: event %x", name, mask)
		}
		buf = buf[16+length:]
	}
	if !seen["link"] || !seen["fifo"] {
		t.Errorf("saw %v", seen)
	}
	alike(t, lookAt(t, to, true), lookAt(t, from, true))
}

package copy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

// onThread runs f on a thread of its own, which ends with it: it may give its rights away.
func onThread(t *testing.T, f func() error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become someone else")
	}
	got := make(chan error)
	go func() {
		runtime.LockOSThread()
		got <- f()
	}()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

// dropRights takes root's power over files from the calling thread.
func dropRights() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&head, &none[0])
}

// A run that was killed after it gave its part the mode of a read-only source is not in the way of the next.
func TestHostileSealedPart(t *testing.T) {
	for _, mode := range []os.FileMode{0o444, 0o200, 0} {
		dir := playground(t)
		write(t, ".x"+partSuffix, random(1000))
		if err := os.Chmod(".x"+partSuffix, mode); err != nil {
			t.Fatal(err)
		}
		onThread(t, func() error {
			if err := dropRights(); err != nil {
				return err
			}
			_, err := Run(t.Context(), Options{Sources: []string{"a"}, Dest: "x", Mode: limiter.Sequential})
			return err
		})
		same(t, "x", []byte("from a"))
		holds(t, dir, "a", "b", "d", "gone", "hard", "ld", "ls", "sym", "x")
	}
}

// A part that another user has left is not written to, but is no obstacle either where it may be removed.
func TestHostileForeignPart(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	playground(t)
	path := write(t, ".x"+partSuffix, []byte("foreign"))
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	mustRun(t, Options{Sources: []string{"a"}, Dest: "x"})
	same(t, "x", []byte("from a"))
	b := make([]byte, 100)
	if n, _ := reader.ReadAt(b, 0); string(b[:n]) != "foreign" {
		t.Errorf("who left it reads %q", b[:n])
	}
	if info, err := os.Stat("x"); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("it has the other owner: %v", err)
	}
}

// Some file systems give every file the same owner, and NFS gives root's to nobody.
func TestHostileFixedOwner(t *testing.T) {
	playground(t)
	if err := os.Chmod(".", 0o777); err != nil {
		t.Fatal(err)
	}
	onThread(t, func() error {
		// Who files are made by, while the user stays root.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETFSUID, 12345, 0, 0); errno != 0 {
			return errno
		}
		for range 2 {
			p, err := openPart(t.Context(), placeAt(t, "x"), meta{})
			if err != nil {
				return err
			}
			info, err := p.f.Stat()
			if err != nil || info.Sys().(*syscall.Stat_t).Uid != 12345 {
				return fmt.Errorf("the part's owner: %v, %v", info.Sys(), err)
			}
			_ = p.f.Close() // as a killed run leaves it
		}
		return nil
	})
}

// A run that is refused leaves the part of the other one alone, and does not wait when it is told to stop.
func TestHostilePartStaysLocked(t *testing.T) {
	dir := playground(t)
	p, err := openPart(t.Context(), placeAt(t, "x"), meta{})
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := Run(t.Context(), Options{Sources: []string{"a"}, Dest: "x"}); !errors.As(err, &locked) || !p.named() {
		t.Errorf("got %v; the part of the first run is there: %v", err, p.named())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := Run(ctx, Options{Sources: []string{"a"}, Dest: "x"}); !errors.Is(err, context.DeadlineExceeded) || !p.named() {
		t.Errorf("got %v; the part of the first run is there: %v", err, p.named())
	}
	if took := time.Since(start); took > lockGrace/2 {
		t.Errorf("cancelled, it took %v", took)
	}
	p.discard()
	holds(t, dir, "a", "b", "d", "gone", "hard", "ld", "ls", "sym")
}

// stopped leaves what a run leaves that was cancelled midway.
func stopped(t *testing.T, o Options) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := faultAt(o, 9, func() error { cancel(); return nil }).run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// A part that has its mode already is gone on with, and not copied again.
func TestHostileSealedPartResumes(t *testing.T) {
	from, to := dirs(t)
	data := random(20 * 16 * kib)
	src, dst := write(t, filepath.Join(from, "f"), data), filepath.Join(to, "f")
	o := Options{Sources: []string{src}, Dest: dst, Mode: limiter.Sequential, ChunkSize: 16 * kib, Reflink: ReflinkNever}
	stopped(t, o)
	if err := os.Chmod(partPath(dst, false), 0o444); err != nil {
		t.Fatal(err)
	}
	onThread(t, func() error {
		if err := dropRights(); err != nil {
			return err
		}
		r, err := Run(t.Context(), o)
		if r.Bytes >= int64(len(data)) {
			t.Errorf("%d bytes were copied again", r.Bytes)
		}
		return err
	})
	same(t, dst, data)
	holds(t, to, "f")
}

// The space that a stopped run has taken counts for the next one.
func TestHostileResumeWhereItIsNarrow(t *testing.T) {
	to := tmpfs(t, 4*mib)
	data := random(3 * mib)
	src, dst := write(t, filepath.Join(t.TempDir(), "f"), data), filepath.Join(to, "f")
	o := Options{Sources: []string{src}, Dest: dst, Mode: limiter.Sequential, ChunkSize: 64 * kib, Reflink: ReflinkNever}
	stopped(t, o)
	if r := mustRun(t, o); r.Bytes >= int64(len(data)) {
		t.Errorf("%d bytes were copied again", r.Bytes)
	}
	same(t, dst, data)
	holds(t, to, "f")
}

// A journal that another run has begun under the name of this one stays.
func TestHostileJournalTaken(t *testing.T) {
	path, part, src := journaled(t, journalSize)
	mine, _ := mustOpenJournal(t, path, src, part)
	other, _ := mustOpenJournal(t, path, src, part)
	if err := mine.remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the other run's: %v", err)
	}
	if err := other.remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its own: %v", err)
	}
}

// Sizes that are not the truth, in a tree and with holes for zeros.
func TestHostileTreeOfSys(t *testing.T) {
	const src = "/sys/devices/system/cpu/vulnerabilities" // which do not change while they are copied
	want, err := os.ReadFile(src + "/meltdown")
	if err != nil {
		t.Skip("no sysfs here")
	}
	inModes(t, func(t *testing.T, m limiter.Mode) {
		to := t.TempDir()
		for _, sparse := range []Sparse{SparseAuto, SparseAlways} {
			mustRun(t, Options{
				Sources: []string{src}, Dest: filepath.Join(to, sparse.String()), Recursive: true, Mode: m, Sparse: sparse, Verify: true,
			})
			same(t, filepath.Join(to, sparse.String(), "meltdown"), want)
		}
	})
}

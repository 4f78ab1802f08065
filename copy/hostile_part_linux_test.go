package copy

import (
	"context"
	"errors"
	"fmt"
	"os"
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

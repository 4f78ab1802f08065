//go:build unix

package copy

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A mode is given to what has the name, not to what a link of that name leads to.
func TestChmodFollowsNothing(t *testing.T) {
	outside, to := dirs(t)
	victim := write(t, filepath.Join(outside, "victim"), nil)
	if err := os.Symlink(victim, filepath.Join(to, "link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(to, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := openDir(to)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.close() }()
	_ = d.chmod("link", 0o777) // where links have modes, it gets this one
	if err := d.chmod("fifo", 0o640); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]os.FileMode{victim: 0o644, filepath.Join(to, "fifo"): 0o640} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// A fifo that has taken the place of a file is opened without waiting for a writer, who may never come.
func TestFifoInPlaceOfFile(t *testing.T) {
	from, _ := dirs(t)
	if err := unix.Mkfifo(filepath.Join(from, "f"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(from, "g"), random(10))
	d, err := openDir(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.close() }()
	for _, name := range []string{"f", "g"} {
		f, err := d.open(name)
		if err != nil {
			t.Fatal(err)
		}
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		_ = f.Close()
		if err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("%s: flags %x, %v", name, flags, err)
		}
	}
}

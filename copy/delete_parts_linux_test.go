package copy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

// Delete removes what an unfinished run has left for a source that is gone, and nothing that a run can still go on with
// or is at work on.
func TestDeleteOrphanedParts(t *testing.T) {
	long := strings.Repeat("n", 250)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		plant(t, from, "here", "d/f", long)
		plant(t, to, "d/",
			".gone.pace-part", ".gone.pace-journal", ".gonedir.pace-part/x", ".locked.pace-part", ".locked.pace-journal",
			"d/"+partName("gone", true), "d/"+journalName("gone", true))
		// A part of a source that is there, which another run may go on with, and a journal that nobody can.
		plant(t, to, "d/"+partName("f", true), "d/"+journalName("f", true), journalName("here", false))
		locked, err := os.Open(filepath.Join(to, ".locked.pace-part"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = locked.Close() }()
		if err := unix.Flock(int(locked.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		o := Options{Sources: []string{from + "/."}, Dest: to, Recursive: true, Mode: m, Delete: true}
		o.Filter, err = NewFilter([]Rule{{Pattern: "gone"}})
		if err != nil {
			t.Fatal(err)
		}
		before := len(names(t, to))
		mustRun(t, o)
		if got := len(names(t, to)); got < before { // what is left out of the copy may be in the making
			t.Errorf("%d of %d names are left", got, before)
		}
		o.Filter = nil
		mustRun(t, o)
		for _, gone := range []string{".gone.pace-part", ".gone.pace-journal", ".gonedir.pace-part", "d/" + partName("gone", true), "d/" + journalName("gone", true), journalName("here", false)} {
			if _, err := os.Lstat(filepath.Join(to, gone)); err == nil {
				t.Errorf("%s is left", gone)
			}
		}
		for _, kept := range []string{".locked.pace-part", ".locked.pace-journal", "d/" + journalName("f", true), "here", long} {
			if _, err := os.Lstat(filepath.Join(to, kept)); err != nil {
				t.Error(err)
			}
		}
	})
}

// With -n, what is in the way stays, a folder too, and that is no failure, as with cp.
func TestNoClobberFolderInTheWay(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		plant(t, from, "f")
		link, fifo := filepath.Join(from, "link"), filepath.Join(from, "fifo")
		if err := os.Symlink("x", link); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		plant(t, to, "f/", "link/", "fifo/")
		for _, o := range []Options{
			{Sources: []string{link}, Dest: filepath.Join(to, "link"), NoTargetDir: true},
			{Sources: []string{from + "/."}, Dest: to},
		} {
			o.Archive, o.NoClobber, o.Mode = true, true, m
			mustRun(t, o)
			wantNames(t, to, "f", "fifo", "link")
		}
	})
}

// What is wrong with a journal in a tree is told by the path that the user knows.
func TestJournalErrorNamesItsPath(t *testing.T) {
	from, to := dirs(t)
	write(t, filepath.Join(from, "f"), random(300_000))
	plant(t, to, "f")
	journal := filepath.Join(to, journalName("f", false))
	if err := os.Mkdir(journal, 0o755); err != nil {
		t.Fatal(err)
	}
	r := mustStop(t, Options{Sources: []string{from + "/."}, Dest: to, Recursive: true, ChunkSize: 64 * kib, Reflink: ReflinkNever})
	if r.ItemsFailed != 1 || !strings.Contains(r.Errors[0].Error, journal) {
		t.Errorf("%+v", r)
	}
}

package copy

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What lies on a disk that was mounted again is not trusted: the disk may have been pulled out meanwhile.
func TestJournalAfterMount(t *testing.T) {
	path, part, src := journaled(t, journalSize)
	j, _ := mustOpenJournal(t, path, src, part)
	mustAdd(t, j, someRanges...)
	again := t.TempDir()
	if err := unix.Mount(filepath.Dir(path), again, "", unix.MS_BIND, ""); err != nil {
		skipWithoutRight(t, err)
	}
	t.Cleanup(func() { _ = unix.Unmount(again, unix.MNT_DETACH) })
	moved, err := os.Open(filepath.Join(again, filepath.Base(part.Name())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = moved.Close() })
	if id, err := partIDOf(moved); err != nil || id.mount == 0 {
		t.Skipf("mounts have no numbers here: %+v, %v", id, err)
	}
	_, state := mustOpenJournal(t, path, src, moved)
	if state.trusted {
		t.Error("trusted after another mount")
	}
	sameRanges(t, state.done, someRanges)
}

//go:build unix

package copy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Nobody can lay out something under the journal's name to have it trusted or overwritten.
func TestJournalPlanted(t *testing.T) {
	for name, plant := range map[string]func(victim, path string) error{
		"symlink":   os.Symlink,
		"hard link": os.Link,
		"fifo":      func(_, path string) error { return unix.Mkfifo(path, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			path, part, src := journaled(t, journalSize)
			victim := write(t, filepath.Join(filepath.Dir(path), "victim"), []byte("precious"))
			if err := plant(victim, path); err != nil {
				t.Fatal(err)
			}
			_, _, err := openJournal(path, path, src, part)
			if err == nil || !strings.Contains(err.Error(), "not a journal of this user") {
				t.Errorf("got %v", err)
			}
			same(t, victim, []byte("precious"))
		})
	}
}

// A journal that another user has left is not written to, but is no obstacle either where it may be removed.
func TestJournalForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path, part, src := journaled(t, journalSize)
	write(t, path, []byte("foreign"))
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	if err := os.Chown(path, 4711, -1); err != nil {
		t.Fatal(err)
	}
	mustOpenJournal(t, path, src, part)
	if b, err := io.ReadAll(reader); err != nil || string(b) != "foreign" {
		t.Errorf("who left it reads %q, %v", b, err)
	}
	if m, err := statPath(path, false); err != nil || m.uid != 0 {
		t.Errorf("it has the owner %d, %v", m.uid, err)
	}
}

func TestJournalIsPrivate(t *testing.T) {
	path, part, src := journaled(t, journalSize)
	for _, before := range []os.FileMode{0, 0o644} {
		if before != 0 {
			if err := os.Chmod(path, before); err != nil {
				t.Fatal(err)
			}
		}
		mustOpenJournal(t, path, src, part)
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("journal has mode %v, %v", info.Mode(), err)
		}
	}
}

// Each field of a source's identity is really read.
func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	id := func(path string) identity {
		m, err := statPath(path, false)
		if err != nil {
			t.Fatal(err)
		}
		return identityOf(m)
	}
	a := write(t, filepath.Join(dir, "a"), []byte("some"))
	was := id(a)
	if was != id(a) || was.ino == 0 || was.dev == 0 || was.size != 4 || was.mtime == 0 || was.ctime == 0 {
		t.Fatalf("got %+v, then %+v", was, id(a))
	}
	if b := id(write(t, filepath.Join(dir, "b"), []byte("some"))); b.ino == was.ino || b.sameFile(was) {
		t.Errorf("two files are %+v and %+v", was, b)
	}
	write(t, a, []byte("other!"))
	if now := id(a); !now.sameFile(was) || was.is(now, true) || now.size != 6 {
		t.Errorf("grown: %+v, was %+v", now, was)
	}
}

// What a kernel tells of a part file does not change while it is written and renamed.
func TestPartIDStays(t *testing.T) {
	_, part, _ := journaled(t, 0)
	was, err := partIDOf(part)
	if err != nil || was.ino == 0 {
		t.Fatalf("got %+v, %v", was, err)
	}
	if err := part.Truncate(1 << 20); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(part.Name(), part.Name()+"2"); err != nil {
		t.Fatal(err)
	}
	if now, err := partIDOf(part); err != nil || now != was {
		t.Errorf("was %+v, is %+v, %v", was, now, err)
	}
}

const (
	killedSize  = 8 << 20
	killedChunk = 4 << 10
	killedEnv   = "PACE_TEST_JOURNAL"
	killedTells = 512 // bytes that the child says for each record: a pipe that is full keeps it from running far ahead
)

// killedChunkAt is what the source of the next test has at off.
func killedChunkAt(off int64) []byte {
	return bytes.Repeat(binary.LittleEndian.AppendUint64(nil, uint64(off)*0x9e3779b97f4a7c15+1), killedChunk/8)
}

// TestJournalKilled kills a process that fills a part file, again and again: each range of the journal that it leaves
// is in the part file, and the work comes to its end.
func TestJournalKilled(t *testing.T) {
	if path := os.Getenv(killedEnv); path != "" {
		fillUntilKilled(t, path)
		return
	}
	path, part, src := journaled(t, killedSize)
	_ = part.Close()
	last, kills := 0, 0
	for done := 0; done < killedSize/killedChunk; {
		child := exec.Command(os.Args[0], "-test.run=^TestJournalKilled$")
		child.Env = append(os.Environ(), killedEnv+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, out, killedTells*rand.Int64N(100)+1); err == nil {
			kills++
		}
		_ = child.Process.Kill()
		_ = child.Wait()
		done = checkKilled(t, path, src)
		if done < last {
			t.Fatalf("%d ranges were done, now %d", last, done)
		}
		last = done
	}
	if kills < 5 {
		t.Errorf("killed only %d times", kills)
	}
}

// checkKilled returns how many ranges the journal has, all of which the part file must hold.
func checkKilled(t *testing.T, path string, src identity) int {
	part := openKilled(t, path)
	j, state := mustOpenJournal(t, path, src, part)
	defer func() { _ = part.Close(); _ = j.close() }()
	if state.why != "" && !strings.Contains(state.why, "no journal") {
		t.Fatalf("starts over: %s", state.why)
	}
	kept, err := rehash(t.Context(), func(p []byte, off int64) (int, error) { return pread(part, p, off) }, state.done)
	if err != nil || len(kept) != len(state.done) {
		t.Fatalf("%d of %d ranges are in the part file, %v", len(kept), len(state.done), err)
	}
	for _, r := range kept {
		if r != rangeOf(killedChunkAt(r.off), r.off) {
			t.Fatalf("a range that nobody wrote: %v", r)
		}
	}
	return len(kept)
}

func openKilled(t *testing.T, path string) *os.File {
	part, err := os.OpenFile(strings.TrimSuffix(path, journalSuffix)+partSuffix, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	return part
}

// fillUntilKilled copies what the journal does not have, by several writers, and tells of each record.
func fillUntilKilled(t *testing.T, path string) {
	part := openKilled(t, path)
	j, state := mustOpenJournal(t, path, identity{1, 2, killedSize, 3, 4}, part)
	todo := make(chan int64)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for off := range todo {
				p := killedChunkAt(off)
				if _, err := part.WriteAt(p, off); err != nil {
					t.Error(err)
				}
				if err := j.add(rangeOf(p, off)); err != nil {
					t.Error(err)
				}
				fmt.Print(strings.Repeat(".", killedTells))
			}
		})
	}
	for _, e := range missing([]extent{{0, killedSize}}, state.done) {
		for off := e.off; off < e.end; off += killedChunk {
			todo <- off
		}
	}
	close(todo)
	wg.Wait()
}

//go:build unix

package copy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPartLocked(t *testing.T) {
	playground(t)
	p, err := openPart(t.Context(), placeAt(t, "x"), meta{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Run(t.Context(), Options{Sources: []string{"a"}, Dest: "x"})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.Part != ".x"+partSuffix {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(locked.Part); err != nil {
		t.Errorf("the other run's part is gone: %v", err)
	}
	p.discard()
	mustRun(t, Options{Sources: []string{"a"}, Dest: "x"})
	same(t, "x", []byte("from a"))
}

// What a killed run has left is taken over, and nothing of it shows.
func TestPartTakenOver(t *testing.T) {
	dir := playground(t)
	if err := os.WriteFile(".x"+partSuffix, random(100_000), 0o644); err != nil {
		t.Fatal(err)
	}
	mustRun(t, Options{Sources: []string{"a"}, Dest: "x"})
	same(t, "x", []byte("from a"))
	holds(t, dir, "a", "b", "d", "gone", "hard", "ld", "ls", "sym", "x")
}

// A lock on a file that has meanwhile got its final name is no lock on the part.
func TestPartRenamedBeforeLock(t *testing.T) {
	playground(t)
	path := ".x" + partSuffix
	write(t, path, []byte("finished"))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := os.Rename(path, "x"); err != nil {
		t.Fatal(err)
	}
	if ok, err := takePart(f, placeAt(t, "x"), path); ok || err != nil {
		t.Errorf("taken %v, %v: want to be told to open it again", ok, err)
	}
	write(t, path, []byte("another run's"))
	if ok, err := takePart(f, placeAt(t, "x"), path); ok || err != nil {
		t.Errorf("taken %v, %v: want to be told to open it again", ok, err)
	}
	same(t, "x", []byte("finished"))
}

// Nobody can lay out a file under the part's name to have it overwritten or to read along.
func TestPartPlanted(t *testing.T) {
	for name, plant := range map[string]func(path string) error{
		"symlink":   func(path string) error { return os.Symlink("b", path) },
		"hard link": func(path string) error { return os.Link("b", path) },
	} {
		t.Run(name, func(t *testing.T) {
			playground(t)
			if err := plant(".x" + partSuffix); err != nil {
				t.Fatal(err)
			}
			_, err := Run(t.Context(), Options{Sources: []string{"a"}, Dest: "x"})
			if err == nil || !strings.Contains(err.Error(), "not a part file of this user") {
				t.Errorf("got %v", err)
			}
			same(t, "b", []byte("from b"))
		})
	}
}

func TestSourceIsPart(t *testing.T) {
	playground(t)
	src := write(t, ".x"+partSuffix, []byte("precious"))
	_, err := Run(t.Context(), Options{Sources: []string{src}, Dest: "x"})
	var usage *UsageError
	if !errors.As(err, &usage) {
		t.Errorf("got %v", err)
	}
	same(t, src, []byte("precious"))
}

// Nobody else can read the bytes before they have the source's mode.
func TestPartIsPrivate(t *testing.T) {
	playground(t)
	r := onRead(Options{Sources: []string{"a"}, Dest: "x", ChunkSize: 3}, func() {
		parts, err := filepath.Glob(".*" + partSuffix)
		if err != nil || len(parts) != 1 {
			t.Errorf("parts %q, %v", parts, err)
			return
		}
		if info, err := os.Stat(parts[0]); err != nil || info.Mode() != 0o600 {
			t.Errorf("part has mode %v, %v", info.Mode(), err)
		}
	})
	if _, err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, "x", []byte("from a"))
}

// placeAt returns the place of path.
func placeAt(t *testing.T, path string) place {
	t.Helper()
	p, err := openParent(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.dir.close() })
	return p
}

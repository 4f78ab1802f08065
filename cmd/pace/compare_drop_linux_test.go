package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inMemory tells whether a file's first bytes are in the page cache: preadv2(2) with RWF_NOWAIT waits for nothing else. It may
// have the kernel begin to read them, so that who asks once more learns of that.
func inMemory(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	_, err = unix.Preadv2(int(f.Fd()), [][]byte{make([]byte, 512)}, 0, unix.RWF_NOWAIT)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		t.Skip("this file system does not say what is in memory")
	}
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		t.Fatal(err)
	}
	return err == nil
}

func TestDropFiles(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	single, inside, other := filepath.Join(dir, "single"), filepath.Join(tree, "sub", "inside"), filepath.Join(dir, "other")
	if err := os.MkdirAll(filepath.Dir(inside), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{single, inside, other} {
		if err := os.WriteFile(path, pattern(64<<10), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := syncFile(path); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.Symlink(tree, link), unix.Mkfifo(filepath.Join(tree, "fifo"), 0o644)); err != nil {
		t.Fatal(err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err == nil && st.Type == unix.TMPFS_MAGIC {
		t.Skip("tmpfs is memory")
	}
	if !inMemory(t, other) {
		t.Skip("memory is short")
	}
	w := compared{tool: "verify", operands: []string{single, link, filepath.Join(dir, "missing"), "http://127.0.0.1/x"}}
	for n := 0; ; n++ {
		if err := (dropped{files: true}).now(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		still := [2]bool{inMemory(t, single), inMemory(t, inside)}
		if still == [2]bool{} {
			break
		}
		if n == 20 { // the kernel keeps a page that it is just looking at
			t.Fatalf("still in memory: %v", still)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func TestDropCheck(t *testing.T) {
	local := compared{tool: "copy", operands: []string{"file"}}
	root := os.Geteuid() == 0
	for _, test := range []struct {
		why  string
		d    dropped
		w    compared
		good bool
	}{
		{"not asked", dropped{}, compared{tool: "crawl"}, true},
		{"a file", dropped{files: true}, local, true},
		{"a crawl", dropped{files: true}, compared{tool: "crawl", operands: []string{"host"}}, false},
		{"a download", dropped{files: true}, compared{tool: "copy", operands: []string{"http://127.0.0.1/x"}}, false},
		{"everything", dropped{all: true}, compared{tool: "crawl"}, root},
	} {
		if err := test.d.check(test.w); (err == nil) != test.good {
			t.Errorf("%s: %v", test.why, err)
		}
	}
}

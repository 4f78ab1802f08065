//go:build unix

package copy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pace/limiter"
)

// playground makes the working folder of a test: the files a and b, the folder d with a file a and a folder sub, and
// links: sym to a, gone to nothing, hard to a as a hard link, ld to d, ls to d/sub.
func playground(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "a", []byte("from a"))
	write(t, "b", []byte("from b"))
	if err := errors.Join(
		os.Mkdir("d", 0o755), os.WriteFile("d/a", []byte("old"), 0o644),
		os.Symlink("a", "sym"), os.Symlink("nothing", "gone"), os.Link("a", "hard"), os.Symlink("d", "ld"),
		os.Mkdir("d/sub", 0o755), os.Symlink("d/sub", "ls"),
	); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLanding(t *testing.T) {
	long := strings.Repeat("n", 255)
	for _, tt := range []struct {
		name    string
		o       Options
		at, has string
	}{
		{"to a new name", Options{Sources: []string{"a"}, Dest: "x"}, "x", "from a"},
		{"to a file", Options{Sources: []string{"a"}, Dest: "b"}, "b", "from a"},
		{"into a folder", Options{Sources: []string{"a"}, Dest: "d"}, "d/a", "from a"},
		{"into a folder with a slash", Options{Sources: []string{"b"}, Dest: "d/"}, "d/b", "from b"},
		{"into a linked folder", Options{Sources: []string{"b"}, Dest: "ld"}, "d/b", "from b"},
		{"beside a linked folder", Options{Sources: []string{"b"}, Dest: "ls/.."}, "d/b", "from b"},
		{"-t", Options{Sources: []string{"b"}, Dest: "d", TargetDir: true}, "d/b", "from b"},
		{"-T", Options{Sources: []string{"a"}, Dest: "b", NoTargetDir: true}, "b", "from a"},
		{"several", Options{Sources: []string{"b", "a"}, Dest: "d"}, "d/a", "from a"},
		{"from a link", Options{Sources: []string{"sym"}, Dest: "d"}, "d/sym", "from a"},
		{"to a link", Options{Sources: []string{"b"}, Dest: "sym"}, "a", "from b"},
		{"name of 255 bytes", Options{Sources: []string{"a"}, Dest: long}, long, "from a"},
		{"hash of it", Options{Sources: []string{"a"}, Dest: long[1:]}, long[1:], "from a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			playground(t)
			mustRun(t, tt.o)
			same(t, tt.at, []byte(tt.has))
			if parts, _ := filepath.Glob("*/.*" + partSuffix); len(parts) > 0 {
				t.Errorf("left behind: %q", parts)
			}
		})
	}
}

// A symlink that lies in the destination folder is replaced; only one that is the destination is followed.
func TestLinkInFolderIsReplaced(t *testing.T) {
	playground(t)
	if err := errors.Join(os.Remove("d/a"), os.Symlink("../b", "d/a")); err != nil {
		t.Fatal(err)
	}
	mustRun(t, Options{Sources: []string{"a"}, Dest: "d"})
	same(t, "d/a", []byte("from a"))
	same(t, "b", []byte("from b"))
}

// More threads than the machine has are refused before anything moves: the run could not start.
func TestTooManyThreads(t *testing.T) {
	playground(t)
	write(t, "a", make([]byte, 200_000))
	r, err := Run(t.Context(), Options{
		Sources: []string{"a"}, Dest: "x", Mode: limiter.Threads, Workers: 200_000, ChunkSize: 1, Reflink: ReflinkNever,
	})
	var limit *limiter.ThreadLimitError
	if !errors.As(err, &limit) || r.Bytes != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("x is there")
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		o     Options
		usage bool
		says  string
	}{
		{"nothing", Options{Dest: "d"}, true, "no source"},
		{"nowhere", Options{Sources: []string{"a"}}, true, "no destination"},
		{"same file", Options{Sources: []string{"a"}, Dest: "a"}, true, "are the same file"},
		{"same file, other path", Options{Sources: []string{"a"}, Dest: "."}, true, "are the same file"},
		{"same file by hard link", Options{Sources: []string{"a"}, Dest: "hard"}, true, "are the same file"},
		{"same file by symlink", Options{Sources: []string{"a"}, Dest: "sym"}, true, "are the same file"},
		{"same file from symlink", Options{Sources: []string{"sym"}, Dest: "a"}, true, "are the same file"},
		{"several to a file", Options{Sources: []string{"a", "b"}, Dest: "hard"}, true, "not a directory"},
		{"several to nothing", Options{Sources: []string{"a", "b"}, Dest: "x"}, true, "no such file"},
		{"-t to a file", Options{Sources: []string{"a"}, Dest: "b", TargetDir: true}, true, "not a directory"},
		{"-T of several", Options{Sources: []string{"a", "b"}, Dest: "d", NoTargetDir: true}, true, "2 sources"},
		{"-t and -T", Options{Sources: []string{"a"}, Dest: "d", NoTargetDir: true, TargetDir: true}, true, "both"},
		{"chunk", Options{Sources: []string{"a"}, Dest: "x", ChunkSize: -1}, true, "-1"},
		{"-T to a folder", Options{Sources: []string{"a"}, Dest: "d", NoTargetDir: true}, false, "overwrite directory"},
		{"missing", Options{Sources: []string{"no"}, Dest: "x"}, false, "cannot read no: no such file"},
		{"folder", Options{Sources: []string{"d"}, Dest: "x"}, false, "-r not specified; omitting directory d"},
		{"special file", Options{Sources: []string{os.DevNull}, Dest: "x"}, false, "is a character device"},
		{"dangling link", Options{Sources: []string{"a"}, Dest: "gone"}, false, "dangling symlink"},
		{"no such folder", Options{Sources: []string{"a"}, Dest: "no/x"}, false, "cannot create no/x: no such file"},
		{"no folder with slash", Options{Sources: []string{"a"}, Dest: "no/"}, false, "cannot create no/"},
		{"below a file", Options{Sources: []string{"a"}, Dest: "b/x"}, false, "cannot create b/x: not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			playground(t)
			r, err := Run(t.Context(), tt.o)
			var usage *UsageError
			if err == nil || errors.As(err, &usage) != tt.usage || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v (usage %v), want %q", err, usage != nil, tt.says)
			}
			if r.Bytes != 0 || r.Backend == "" {
				t.Errorf("report %+v", r)
			}
			same(t, "a", []byte("from a"))
			same(t, "b", []byte("from b"))
			if parts, _ := filepath.Glob(".*" + partSuffix); len(parts) > 0 {
				t.Errorf("left behind: %q", parts)
			}
		})
	}
}

func TestNotTwice(t *testing.T) {
	playground(t)
	if err := os.WriteFile("d/sub/a", []byte("another a"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("to", 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Options{Sources: []string{"a", "d/sub/a"}, Dest: "to"})
	if err != nil || r.ItemsFailed != 1 || !strings.Contains(r.Errors[0].Error, "just-created") {
		t.Fatalf("got %+v, %v", r, err)
	}
	same(t, "to/a", []byte("from a"))
}

func TestNoClobber(t *testing.T) {
	playground(t)
	r := mustRun(t, Options{Sources: []string{"a", "b"}, Dest: "d", NoClobber: true})
	if r.ItemsSkipped != 1 || r.Items != 1 {
		t.Errorf("report %+v", r)
	}
	same(t, "d/a", []byte("old"))
	same(t, "d/b", []byte("from b"))
}

// A file that appears while another is copied to its name is kept as well.
func TestNoClobberLate(t *testing.T) {
	playground(t)
	r := newRun(Options{Sources: []string{"a"}, Dest: "x", NoClobber: true})
	r.wrap = func(d driver) driver {
		return faulty{driver: d, write: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
			write(t, "x", []byte("first"))
			return d.pwrite(ctx, f, p, off)
		}}
	}
	report, err := r.run(t.Context())
	if err != nil || report.ItemsSkipped != 1 {
		t.Fatalf("got %+v, %v", report, err)
	}
	same(t, "x", []byte("first"))
}

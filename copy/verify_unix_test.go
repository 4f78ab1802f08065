//go:build unix

package copy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

func TestVerifyArchive(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		src, dst := twins(t)
		now := time.Unix(1_000_000_000, 0)
		for _, root := range []string{src, dst} { // links and folders got theirs from the clock
			for _, name := range []string{"sub", "sub/deep", "empty", "."} {
				if err := os.Chtimes(filepath.Join(root, name), now, now); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Remove(filepath.Join(root, "link")); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(root, now, now); err != nil {
				t.Fatal(err)
			}
		}
		o := VerifyOptions{Source: src, Dest: dst, Mode: m, Archive: true}
		if _, found := verified(t, o); len(found) > 0 {
			t.Fatalf("before: %q", found)
		}
		err := errors.Join(
			os.Chmod(filepath.Join(dst, "big"), 0o4755),
			os.Chtimes(filepath.Join(dst, "none"), now, now.Add(1)),
			os.Chtimes(filepath.Join(dst, "sub", "deep"), now, now.Add(time.Second)),
			os.Chmod(filepath.Join(dst, "empty"), 0o700),
		)
		if err != nil {
			t.Fatal(err)
		}
		_, found := verified(t, o)
		for i, f := range found {
			found[i], _, _ = strings.Cut(f, " and ") // times depend on the zone
			if strings.Contains(f, ": time: ") {
				found[i] = f[:strings.Index(f, "time: ")+len("time")]
			}
		}
		want := []string{
			"metadata big: mode: -rw-r--r--", "metadata empty: mode: drwxr-xr-x",
			"metadata none: time", "metadata sub/deep: time",
		}
		if d := cmp.Diff(want, found); d != "" {
			t.Errorf("differences (-want +got):\n%s", d)
		}
		o.Archive = false
		if _, found := verified(t, o); len(found) > 0 {
			t.Errorf("without -a: %q", found)
		}
	})
}

// Fifos are compared by what they are and never opened, names of any bytes are names, links that lead up are links.
func TestVerifyOddNames(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		src, dst := dirs(t)
		names := []string{"\xff\xfe", "a\nb", " ", "*", "\\", strings.Repeat("n", 255)}
		for _, root := range []string{src, dst} {
			for _, name := range names {
				path := filepath.Join(root, name)
				f, err := os.Create(path)
				if errors.Is(err, syscall.EILSEQ) {
					t.Skip("the file system takes no names of any bytes")
				}
				if err != nil {
					t.Fatal(err)
				}
				_ = f.Close()
			}
			if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("..", filepath.Join(root, "up")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("nowhere", filepath.Join(root, "dangling")); err != nil {
				t.Fatal(err)
			}
		}
		report, found := verified(t, VerifyOptions{Source: src, Dest: dst, Mode: m})
		if len(found) > 0 || report.Items != int64(len(names))+3 || report.ItemsFailed != 0 {
			t.Errorf("%q, %+v", found, report)
		}
		if err := os.Remove(filepath.Join(dst, "\xff\xfe")); err != nil {
			t.Fatal(err)
		}
		if _, found := verified(t, VerifyOptions{Source: src, Dest: dst, Mode: m}); !slices.Equal(found, []string{"missing \xff\xfe"}) {
			t.Errorf("%q", found)
		}
	})
}

// A tree may be deeper than any path can be long.
func TestVerifyDeep(t *testing.T) {
	src, dst := dirs(t)
	const levels = 40
	name := strings.Repeat("d", 200)
	for i, root := range []string{src, dst} {
		at, err := os.OpenRoot(root)
		if err != nil {
			t.Fatal(err)
		}
		for range levels {
			if err := at.Mkdir(name, 0o755); err != nil {
				t.Fatal(err)
			}
			sub, err := at.OpenRoot(name)
			_ = at.Close()
			if err != nil {
				t.Fatal(err)
			}
			at = sub
		}
		err = at.WriteFile("f", []byte{byte(i)}, 0o644)
		_ = at.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, found := verified(t, VerifyOptions{Source: src, Dest: dst})
	if want := "content " + strings.Repeat(name+"/", levels) + "f: content"; !slices.Equal(found, []string{want}) {
		t.Errorf("%.50q", found)
	}
}

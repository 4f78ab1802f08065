package copy

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestVerifyAttributes(t *testing.T) {
	src, dst := twins(t)
	set := func(root, name, attr, value string) {
		err := unix.Setxattr(filepath.Join(root, name), attr, []byte(value), 0)
		if errors.Is(err, unix.ENOTSUP) {
			t.Skip("the file system has no extended attributes")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, root := range []string{src, dst} {
		set(root, "none", "user.same", "1")
		set(root, "big", "user.value", filepath.Base(root))
	}
	set(src, "sub", "user.gone", "")
	set(dst, "sub.a", "user.new", "x")
	// All times alike, so that only attributes are left to differ.
	for _, name := range []string{"empty", "sub/deep", "sub", "link", "."} {
		info, err := os.Lstat(filepath.Join(src, name))
		if err != nil {
			t.Fatal(err)
		}
		at := unix.NsecToTimespec(info.ModTime().UnixNano())
		err = unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(dst, name), []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
		if err != nil {
			t.Fatal(err)
		}
	}
	_, found := verified(t, VerifyOptions{Source: src, Dest: dst, Archive: true})
	want := []string{
		"metadata big: attribute user.value", "metadata sub.a: attribute user.new", "metadata sub: attribute user.gone",
	}
	if d := cmp.Diff(want, found); d != "" {
		t.Errorf("differences (-want +got):\n%s", d)
	}
}

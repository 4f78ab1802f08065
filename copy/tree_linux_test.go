package copy

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pace/limiter"
)

// zoo makes a tree with everything that a file system holds, as far as this user may make it.
func zoo(t testing.TB, root string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(root, name) }
	for _, dir := range []string{"", "empty", "deep/er/est", "sticky", "locked", "odd \xff\xfe\nname", "links", "sgid"} {
		must(os.MkdirAll(at(dir), 0o755))
	}
	for i, n := range []int{0, 1, 63, 64, 65, 4095, 64 * kib, 64*kib + 1, 700_000} {
		write(t, at(fmt.Sprintf("f%d", i)), random(n))
	}
	for i := range 300 {
		write(t, at(fmt.Sprintf("deep/%d", i)), random(i*37))
	}
	write(t, at("odd \xff\xfe\nname/\x01\n'\""), random(10))
	write(t, at(strings.Repeat("n", 255)), random(70_000))
	write(t, at("deep/er/est/suid"), random(1000))
	must(os.Chmod(at("deep/er/est/suid"), 0o755|os.ModeSetuid|os.ModeSetgid))
	write(t, at("none"), random(100))
	if os.Geteuid() == 0 {
		must(os.Chmod(at("none"), 0)) // nobody else could read it
	}
	for _, name := range []string{"links/hard1", "deep/hard2", "hard3"} {
		must(os.Link(at("f3"), at(name)))
	}
	for _, name := range []string{"links/big1", "deep/er/big2"} {
		must(os.Link(at("f8"), at(name)))
	}
	must(os.Symlink("../f1", at("links/sym")))
	must(os.Symlink("nothing", at("links/dangling")))
	must(os.Symlink("/", at("links/out")))
	must(unix.Link(at("links/sym"), at("links/sym2")))
	must(unix.Mkfifo(at("fifo"), 0o640))
	must(unix.Link(at("fifo"), at("fifo2")))
	must(unix.Mknod(at("socket"), unix.S_IFSOCK|0o600, 0))
	holes, err := os.Create(at("holes"))
	must(err)
	_, err1 := holes.WriteAt(random(5000), 100_000)
	_, err2 := holes.WriteAt(random(300_000), 3*mib)
	must(errors.Join(err1, err2, holes.Truncate(5*mib), holes.Close()))
	small, err := os.Create(at("small-holes"))
	must(err)
	_, err1 = small.WriteAt(random(10), 20_000)
	must(errors.Join(err1, small.Truncate(40_000), small.Close()))
	if err := unix.Setxattr(at("f4"), "user.colour", []byte("green\x00blue"), 0); err == nil {
		must(unix.Setxattr(at("empty"), "user.empty", nil, 0))
	}
	acl := append([]byte{2, 0, 0, 0}, aclEntries()...)
	_ = unix.Setxattr(at("f5"), "system.posix_acl_access", acl, 0)
	_ = unix.Setxattr(at("deep"), "system.posix_acl_default", acl, 0)
	if os.Geteuid() == 0 {
		must(os.Lchown(at("f6"), 1234, 4321))
		must(os.Lchown(at("links/dangling"), 1234, 4321))
		must(os.Lchown(at("links"), 77, 78))
		must(unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		_ = unix.Setxattr(at("f7"), "trusted.x", []byte("y"), 0)
		_ = unix.Lsetxattr(at("links/sym"), "trusted.link", []byte("z"), 0)
	}
	must(os.Chmod(at("sticky"), 0o777|os.ModeSticky))
	must(os.Chmod(at("sgid"), 0o755|os.ModeSetgid))
	must(os.Chmod(at("locked"), 0o500))
	stamp := int64(1_600_000_000_123_456_789)
	must(filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		stamp += 1_000_000_007
		ts := unix.NsecToTimespec(stamp)
		return errors.Join(err, unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW))
	}))
}

// aclEntries is user::rw-, user:1000:r--, group::r--, mask::r--, other::---.
func aclEntries() []byte {
	var b []byte
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, 6, 1<<32 - 1}, {2, 4, 1000}, {4, 4, 1<<32 - 1}, {16, 4, 1<<32 - 1}, {32, 0, 1<<32 - 1}} {
		b = append(b, byte(e.tag), byte(e.tag>>8), byte(e.perm), byte(e.perm>>8),
			byte(e.id), byte(e.id>>8), byte(e.id>>16), byte(e.id>>24))
	}
	return b
}

// lookAt describes each entry of a tree by its own calls, not those of the copier. With all set it names also what only
// an archive keeps.
func lookAt(t testing.TB, root string, all bool) map[string]string {
	t.Helper()
	found, inodes := map[string]string{}, map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		mode := st.Mode
		if !all {
			mode &^= unix.S_ISUID | unix.S_ISGID
		}
		text := fmt.Sprintf("mode %o time %d rdev %d", mode, st.Mtim.Nano(), st.Rdev)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" size %d sum %x", st.Size, sha256.Sum256(data))
			if st.Blocks*512 < st.Size/2 {
				text += " sparse"
			}
		case unix.S_IFLNK:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " to " + target
		}
		if all {
			text += fmt.Sprintf(" owner %d:%d", st.Uid, st.Gid)
			if first, ok := inodes[st.Ino]; ok && st.Mode&unix.S_IFMT != unix.S_IFDIR {
				text += " link of " + first
			} else {
				inodes[st.Ino] = rel
			}
			text += attributeText(path)
		}
		found[rel] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func attributeText(path string) string {
	buf := make([]byte, 4096)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		return ""
	}
	names := strings.Split(string(buf[:n]), "\x00")
	slices.Sort(names)
	text := ""
	for _, name := range names {
		value := make([]byte, 4096)
		if n, err := unix.Lgetxattr(path, name, value); err == nil {
			text += fmt.Sprintf(" %s=%x", name, value[:n])
		}
	}
	return text
}

// alike fails the test where two trees differ.
func alike(t testing.TB, got, want map[string]string) {
	t.Helper()
	for _, rel := range slices.Sorted(maps.Keys(want)) {
		if got[rel] != want[rel] {
			t.Errorf("%q is\n  %q, want\n  %q", rel, got[rel], want[rel])
		}
	}
	for rel := range got {
		if _, ok := want[rel]; !ok {
			t.Errorf("%q is too much", rel)
		}
	}
}

func TestArchiveLikeCp(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	zoo(t, src)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, into := range []string{"new", "existing", "over"} {
			t.Run(into, func(t *testing.T) {
				ours, theirs := filepath.Join(t.TempDir(), "ours"), filepath.Join(t.TempDir(), "theirs")
				at := ""
				if into != "new" {
					at = "src"
					for _, dir := range []string{ours, theirs} {
						if err := os.Mkdir(dir, 0o755); err != nil {
							t.Fatal(err)
						}
					}
				}
				rounds := 1
				if into == "over" {
					rounds = 2
				}
				var r Report
				for range rounds {
					if out, err := exec.Command("cp", "-a", src, theirs).CombinedOutput(); err != nil {
						t.Fatalf("cp -a: %v: %s", err, out)
					}
					r = mustRun(t, Options{
						Sources: []string{src}, Dest: ours, Mode: m, Archive: true, ChunkSize: 64 * kib, Reflink: ReflinkNever,
					})
				}
				want := lookAt(t, filepath.Join(theirs, at), true)
				alike(t, lookAt(t, filepath.Join(ours, at), true), want)
				if r.Warnings != 0 {
					t.Errorf("%d warnings", r.Warnings)
				}
				if into == "new" {
					holds(t, filepath.Dir(ours), "ours")
				} else {
					holds(t, ours, "src")
				}
			})
		}
	})
}

func TestRecursive(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	zoo(t, src)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		dst := filepath.Join(t.TempDir(), "dst")
		mustRun(t, Options{Sources: []string{src}, Dest: dst, Mode: m, Recursive: true, ChunkSize: 64 * kib})
		alike(t, lookAt(t, dst, false), lookAt(t, src, false))
	})
}

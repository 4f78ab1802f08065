package copy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// image mounts a new file system of a type on a loop device, and returns where. Where that cannot be done the test is
// skipped; what makes the file system must be there if PACE_REQUIRE_SERVERS is set.
func image(t *testing.T, kind string, options ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts images")
	}
	types, err := os.ReadFile("/proc/filesystems")
	if err != nil || !strings.Contains(string(types), "\t"+kind+"\n") {
		t.Skip("this kernel has no", kind)
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("this machine has no loop devices:", err)
	}
	mkfs, err := exec.LookPath("mkfs." + kind)
	if err != nil {
		if os.Getenv("PACE_REQUIRE_SERVERS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	// In memory: the syncs of thousands of files would wait for the disk.
	file, at := filepath.Join(tmpfs(t, 400*mib), "image"), t.TempDir()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(320 * mib); err != nil { // mkfs.xfs makes none that is smaller than 300 MiB
		t.Fatal(err)
	}
	_ = f.Close()
	if out, err := exec.Command(mkfs, append(options, "-q", file)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", mkfs, err, out)
	}
	if out, err := exec.Command("mount", "-t", kind, "-o", "loop", file, at).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "loop device") {
			t.Skipf("the system gives no loop device: %v: %s", err, out)
		}
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return at
}

// sharing are the file systems that share data, by the options of mkfs.
var sharing = map[string][]string{"btrfs": nil, "xfs": {"-m", "reflink=1"}}

// inImages runs a test on each file system that shares data.
func inImages(t *testing.T, test func(t *testing.T, root string)) {
	for kind, options := range sharing {
		t.Run(kind, func(t *testing.T) { test(t, image(t, kind, options...)) })
	}
}

// sharedBytes returns how much of a file shares its blocks with another one, by filefrag of e2fsprogs: a line an extent,
// its length in blocks of 1 KiB and its flags after the fourth and the fifth colon.
func sharedBytes(t *testing.T, path string) int64 {
	t.Helper()
	out, err := exec.Command("filefrag", "-s", "-v", "-b1024", path).CombinedOutput()
	if err != nil {
		t.Fatalf("filefrag: %v: %s", err, out)
	}
	shared := int64(0)
	for line := range strings.Lines(string(out)) {
		if fields := strings.Split(line, ":"); len(fields) > 4 && strings.Contains(fields[len(fields)-1], "shared") {
			n, err := strconv.ParseInt(strings.TrimSpace(fields[3]), 10, 64)
			if err != nil {
				t.Fatalf("filefrag: %q", line)
			}
			shared += n * kib
		}
	}
	return shared
}

package limiter

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// checkThreads returns a [*ThreadLimitError] if n more threads are too many: the runtime would end the process when the
// kernel refused one.
func checkThreads(n int) error {
	// Cheap for the usual counts: every limit below is far above it on any machine.
	if n <= 64 {
		return nil
	}
	most, limit := threadsLeft()
	if n <= most {
		return nil
	}
	return &ThreadLimitError{Workers: n, Most: max(most, 1), Limit: limit}
}

// threadsLeft returns how many threads this process may still start, and the name of the limit that says so.
func threadsLeft() (int, string) {
	most, limit := runtimeThreads-spareThreads, "the Go runtime's limit"
	lower := func(n int, name string) {
		if n -= spareThreads; n < most {
			most, limit = n, name
		}
	}
	running := systemThreads()
	for _, name := range []string{"threads-max", "pid_max"} {
		if n, ok := readInt(filepath.Join("/proc/sys/kernel", name)); ok {
			lower(n-running, "kernel."+name)
		}
	}
	if n, ok := readInt("/proc/sys/vm/max_map_count"); ok {
		lower(n/2, "vm.max_map_count") // a thread's stack and its guard page are two mappings
	}
	var rl unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NPROC, &rl) == nil && rl.Cur != unix.RLIM_INFINITY && os.Geteuid() != 0 {
		if cur := int(min(rl.Cur, math.MaxInt32)); cur-spareThreads < most+running {
			lower(cur-userThreads(os.Getuid()), "ulimit -u")
		}
	}
	for _, dir := range pidsCgroups() {
		limit, ok := readInt(filepath.Join(dir, "pids.max"))
		used, _ := readInt(filepath.Join(dir, "pids.current"))
		if ok {
			lower(limit-used, "the cgroup's pids.max")
		}
	}
	return most, limit
}

// readInt reads a file that holds one number. A file that is not there or says "max" is no limit.
func readInt(path string) (int, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(b)))
	return n, err == nil
}

// systemThreads returns how many threads the system has: the number behind the slash in /proc/loadavg (proc_loadavg(5)).
func systemThreads() int {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(b, []byte("/"))
	total, _, _ := bytes.Cut(after, []byte(" "))
	n, _ := strconv.Atoi(string(total))
	return n
}

// userThreads returns how many threads the user has, which is what RLIMIT_NPROC counts (getrlimit(2)).
func userThreads(uid int) int {
	statuses, _ := filepath.Glob("/proc/[0-9]*/status")
	total := 0
	for _, path := range statuses {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // the process has ended
		}
		owner, threads := 0, 0
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, "Uid:"); ok {
				_, _ = fmt.Sscan(rest, &owner)
			}
			if rest, ok := strings.CutPrefix(line, "Threads:"); ok {
				_, _ = fmt.Sscan(rest, &threads)
			}
		}
		if owner == uid {
			total += threads
		}
	}
	return total
}

// pidsCgroups returns the folders of the pids controller that apply to this process, in either version (cgroups(7)).
func pidsCgroups() []string {
	f, err := os.Open("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	var dirs []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.SplitN(lines.Text(), ":", 3)
		if len(fields) != 3 {
			continue
		}
		root := "/sys/fs/cgroup"
		if fields[1] == "pids" {
			root = filepath.Join(root, "pids")
		} else if fields[1] != "" {
			continue
		}
		// A limit of any folder on the way up applies to all below it.
		for dir := filepath.Join(root, fields[2]); strings.HasPrefix(dir, root); dir = filepath.Dir(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

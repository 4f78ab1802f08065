package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// usableByProcess returns how many CPUs this process may keep busy: its affinity, or less if a cgroup's quota says so.
// It must be called before anything raises GOMAXPROCS.
//
// Since Go 1.25 GOMAXPROCS follows the quota, but rounded up and never to 1, so that a process with one CPU of a larger
// machine would look half idle at its busiest.
func usableByProcess() float64 {
	n := float64(runtime.GOMAXPROCS(0))
	if runtime.GOOS != "linux" {
		return n
	}
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return n
	}
	if quota, ok := cpuQuota("/sys/fs/cgroup", string(membership)); ok {
		n = min(n, quota)
	}
	return n
}

// cpuQuota returns the lowest CPU quota, in CPUs, of the cgroups named in a /proc/PID/cgroup and all above them
// (cgroups(7); cpu.max of version 2, cpu.cfs_quota_us and cpu.cfs_period_us of version 1).
func cpuQuota(root, membership string) (cpus float64, ok bool) {
	for line := range strings.Lines(membership) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		top, read := root, quotaV2
		if fields[1] != "" {
			if !strings.Contains(","+fields[1]+",", ",cpu,") {
				continue
			}
			top, read = filepath.Join(root, fields[1]), quotaV1
		}
		for dir := filepath.Join(top, fields[2]); strings.HasPrefix(dir, top); dir = filepath.Dir(dir) {
			if quota, found := read(dir); found && (!ok || quota < cpus) {
				cpus, ok = quota, true
			}
		}
	}
	return cpus, ok
}

func quotaV2(dir string) (float64, bool) {
	quota, period, _ := strings.Cut(readLine(filepath.Join(dir, "cpu.max")), " ")
	return ratio(quota, period)
}

func quotaV1(dir string) (float64, bool) {
	return ratio(readLine(filepath.Join(dir, "cpu.cfs_quota_us")), readLine(filepath.Join(dir, "cpu.cfs_period_us")))
}

// ratio divides two numbers of microseconds. "max" and -1 mean no quota, and so does a file that is not there.
func ratio(quota, period string) (float64, bool) {
	q, err := strconv.ParseFloat(quota, 64)
	p, periodErr := strconv.ParseFloat(period, 64)
	if err != nil || periodErr != nil || !(q > 0) || !(p > 0) {
		return 0, false
	}
	return q / p, true
}

func readLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

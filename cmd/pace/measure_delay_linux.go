package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuDelay returns for how long the threads that this process has now were ready to run and had no CPU: the second
// field of their schedstat (Linux, Documentation/scheduler/sched-stats.rst), 0 if the kernel does not keep it. What
// threads have waited that have ended is not told.
func cpuDelay() time.Duration {
	const tasks = "/proc/self/task"
	entries, err := os.ReadDir(tasks)
	if err != nil {
		return 0
	}
	var sum time.Duration
	for _, e := range entries {
		fields := strings.Fields(readLine(filepath.Join(tasks, e.Name(), "schedstat")))
		if len(fields) < 2 {
			continue // it has ended meanwhile
		}
		if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			sum += time.Duration(n)
		}
	}
	return sum
}

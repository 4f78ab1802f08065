package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuDelays returns for how long each thread that this process has now was ready to run and had no CPU, by its number: the
// second field of its schedstat (Linux, Documentation/scheduler/sched-stats.rst). It is empty if the kernel does not keep
// it. What threads have waited that have ended is not told.
func cpuDelays() map[string]time.Duration {
	const tasks = "/proc/self/task"
	entries, err := os.ReadDir(tasks)
	if err != nil {
		return nil
	}
	delays := make(map[string]time.Duration, len(entries))
	for _, e := range entries {
		fields := strings.Fields(readLine(filepath.Join(tasks, e.Name(), "schedstat")))
		if len(fields) < 2 {
			continue // it has ended meanwhile
		}
		if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			delays[e.Name()] = time.Duration(n)
		}
	}
	return delays
}

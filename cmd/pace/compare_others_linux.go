package main

import (
	"strconv"
	"strings"
	"time"
)

// busyTime returns for how long the CPUs were not idle since the system began, as the first line of proc_stat(5) says in
// hundredths of a second: user, nice, system, idle, iowait, irq, softirq, and what a hypervisor took.
func busyTime() (time.Duration, bool) {
	return parseBusy(readLine("/proc/stat"))
}

func parseBusy(stat string) (time.Duration, bool) {
	first, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(first)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, false
	}
	var sum int64
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, false
		}
		if idle := i == 3 || i == 4; !idle {
			sum += n
		}
	}
	return time.Duration(sum) * (time.Second / 100), true
}

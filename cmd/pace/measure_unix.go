//go:build unix

package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// readUsage asks getrusage(2) for all threads of the process, those that have ended too.
func readUsage() usage {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		return usage{}
	}
	return usage{
		user:        time.Duration(ru.Utime.Nano()),
		system:      time.Duration(ru.Stime.Nano()),
		voluntary:   int64(ru.Nvcsw),
		involuntary: int64(ru.Nivcsw),
	}
}

//go:build unix && !linux

package main

import (
	"runtime"
	"runtime/pprof"

	"golang.org/x/sys/unix"
)

// threadCount returns how many threads the runtime has created: more than there are, once some have ended.
func threadCount() int64 { return int64(pprof.Lookup("threadcreate").Count()) }

// rssPeak asks getrusage(2), whose ru_maxrss is in bytes on darwin and in KiB elsewhere.
func rssPeak() int64 {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(ru.Maxrss)
	}
	return int64(ru.Maxrss) * 1024
}

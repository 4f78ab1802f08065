package main

import (
	"bytes"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

func kernelVersion() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// cpuModel reads proc_cpuinfo(5), whose fields differ between architectures.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for _, field := range []string{"model name", "Model", "cpu", "uarch"} {
		for line := range bytes.Lines(text) {
			name, value, ok := strings.Cut(string(line), ":")
			if ok && strings.TrimSpace(name) == field {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

func memoryBytes() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(uint64(info.Totalram) * uint64(info.Unit))
}

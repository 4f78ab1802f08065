//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package main

import "golang.org/x/sys/unix"

func kernelVersion() string { return firstSysctl("kern.osrelease") }

func cpuModel() string { return firstSysctl("machdep.cpu.brand_string", "hw.model") }

func memoryBytes() int64 {
	for _, name := range []string{"hw.memsize", "hw.physmem64", "hw.physmem"} {
		if n, err := unix.SysctlUint64(name); err == nil {
			return int64(n)
		}
	}
	return 0
}

// firstSysctl returns the first of these that the system has (sysctl(3)).
func firstSysctl(names ...string) string {
	for _, name := range names {
		if text, err := unix.Sysctl(name); err == nil && text != "" {
			return text
		}
	}
	return ""
}

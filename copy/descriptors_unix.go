//go:build unix

package copy

import "golang.org/x/sys/unix"

// descriptorLimit is how many files the process may have open; 0 if that is not known.
func descriptorLimit() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), 1<<20)) // it is signed on some systems
}

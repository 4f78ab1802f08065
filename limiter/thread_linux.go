package limiter

import "golang.org/x/sys/unix"

// threadID returns the calling thread's number, 0 where it cannot be told.
func threadID() int { return unix.Gettid() }

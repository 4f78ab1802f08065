//go:build !linux

package limiter

// threadID returns the calling thread's number, 0 where it cannot be told.
func threadID() int { return 0 }

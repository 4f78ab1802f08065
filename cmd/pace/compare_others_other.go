//go:build !linux

package main

import "time"

// busyTime is not known here.
func busyTime() (time.Duration, bool) { return 0, false }

//go:build !linux

package main

import "time"

// cpuDelay is not known here.
func cpuDelay() time.Duration { return 0 }

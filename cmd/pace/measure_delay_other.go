//go:build !linux

package main

import "time"

// cpuDelays are not known here.
func cpuDelays() map[string]time.Duration { return nil }

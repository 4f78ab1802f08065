//go:build !linux && !windows && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package main

func kernelVersion() string { return "" }

func cpuModel() string { return "" }

func memoryBytes() int64 { return 0 }

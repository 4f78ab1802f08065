package main

import (
	"runtime"
	"time"
)

// machine is where figures come from. What the system does not tell is empty or 0.
type machine struct {
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	Kernel      string `json:"kernel"`
	CPUModel    string `json:"cpu_model"`
	Cores       int    `json:"cores"` // those that this process may run on
	MemoryBytes int64  `json:"memory_bytes"`
	PaceVersion string `json:"pace_version"`
	GoVersion   string `json:"go_version"`
}

func thisMachine() machine {
	return machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Kernel: kernelVersion(), CPUModel: cpuModel(), Cores: runtime.NumCPU(),
		MemoryBytes: memoryBytes(), PaceVersion: version(), GoVersion: runtime.Version(),
	}
}

// nowText is the present, as all reports write times.
func nowText() string { return time.Now().Format(time.RFC3339Nano) }

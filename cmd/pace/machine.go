package main

import (
	"runtime"
	"slices"
	"strings"
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

// text describes the machine in a line, without what is not known.
func (m machine) text() string {
	words := []string{m.CPUModel, countOf(int64(m.Cores), "core")}
	if m.MemoryBytes > 0 {
		words = append(words, bytesText(float64(m.MemoryBytes)))
	}
	words = append(words, strings.TrimSpace(m.OS+" "+m.Kernel), "pace "+m.PaceVersion, m.GoVersion)
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), ", ")
}

// nowText is the present, as all reports write times.
func nowText() string { return time.Now().Format(time.RFC3339Nano) }

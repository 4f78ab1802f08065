package main

import (
	"runtime"
	"testing"
)

func TestMachine(t *testing.T) {
	m := thisMachine()
	if m.OS != runtime.GOOS || m.Arch != runtime.GOARCH || m.Cores < 1 || m.GoVersion == "" || m.PaceVersion == "" {
		t.Errorf("%+v", m)
	}
	if runtime.GOOS == "linux" && (m.Kernel == "" || m.CPUModel == "" || m.MemoryBytes < 1<<20) {
		t.Errorf("%+v", m)
	}
	for _, test := range []struct {
		m    machine
		want string
	}{
		{machine{OS: "linux", Kernel: "6.1", CPUModel: "A CPU", Cores: 2, MemoryBytes: 4 << 30, PaceVersion: "v1", GoVersion: "go1.26"},
			"A CPU, 2 cores, 4.0 GiB, linux 6.1, pace v1, go1.26"},
		{machine{OS: "plan9", Cores: 1, PaceVersion: "v1", GoVersion: "go1.26"}, "1 core, plan9, pace v1, go1.26"},
	} {
		if got := test.m.text(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCPUQuota(t *testing.T) {
	for _, test := range []struct {
		name, membership string
		files            string // path=content, one a line
		want             float64
	}{
		{"none", "0::/", "", 0},
		{"version 2", "0::/app\n", "app/cpu.max=150000 100000", 1.5},
		{"unlimited", "0::/app\n", "app/cpu.max=max 100000", 0},
		{"the folder above is stricter", "0::/slice/app\n", "slice/cpu.max=50000 100000\nslice/app/cpu.max=200000 100000", 0.5},
		{"version 1", "4:cpu,cpuacct:/app\n1:name=systemd:/x\n",
			"cpu,cpuacct/app/cpu.cfs_quota_us=100000\ncpu,cpuacct/app/cpu.cfs_period_us=100000", 1},
		{"version 1, unlimited", "4:cpu:/app\n", "cpu/app/cpu.cfs_quota_us=-1\ncpu/app/cpu.cfs_period_us=100000", 0},
		{"another controller", "4:cpuset:/app\n", "cpuset/app/cpu.cfs_quota_us=1\ncpuset/app/cpu.cfs_period_us=1", 0},
	} {
		root := t.TempDir()
		for line := range strings.Lines(test.files) {
			path, content, _ := strings.Cut(strings.TrimSpace(line), "=")
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, ok := cpuQuota(root, test.membership); got != test.want || ok != (test.want > 0) {
			t.Errorf("%s: %v, %v; want %v", test.name, got, ok, test.want)
		}
	}
}

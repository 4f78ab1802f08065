//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// waitFor waits until something is true, for longer than a busy machine needs.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 3000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: not within 30 s", what)
}

func TestInterruptDemo(t *testing.T) {
	dir := t.TempDir()
	cmd := paceCommand(t, "demo")
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the first run's report folder", func() bool {
		found, _ := filepath.Glob(filepath.Join(dir, "pace-compare-*"))
		return len(found) > 0
	})
	_ = cmd.Process.Signal(os.Interrupt)
	if code := exitCodeOf(t, cmd.Wait()); code != exitInterrupted {
		t.Errorf("exit %d, want %d", code, exitInterrupted)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// What --prepare did is undone even then, and a command that is still running is ended with what it started.
func TestInterruptCompareBetweenRuns(t *testing.T) {
	for _, test := range []struct {
		name, prepare, sign string
		cleaned             bool
	}{
		{"in a run", "true", ".dst*.pace-part", true},
		{"in --prepare", "touch ready; sleep 100 & wait", "ready", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "src"), pattern(64<<20), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := paceCommand(t, "compare", "--prepare", test.prepare, "--cleanup", "touch cleaned", "--",
				"copy", "--rate", "1MiB/s", "src", "dst")
			cmd.Dir = dir
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, test.sign, func() bool {
				found, _ := filepath.Glob(filepath.Join(dir, test.sign))
				return len(found) > 0
			})
			_ = cmd.Process.Signal(os.Interrupt)
			if code := exitCodeOf(t, cmd.Wait()); code != exitInterrupted {
				t.Errorf("exit %d, want %d", code, exitInterrupted)
			}
			if _, err := os.Stat(filepath.Join(dir, "cleaned")); (err == nil) != test.cleaned {
				t.Errorf("cleaned up: %v, want %v", err == nil, test.cleaned)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*dst*")); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}

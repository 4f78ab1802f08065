//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// stopGently lets a cancelled run clean up. It gets a process group of its own: a terminal sends Ctrl-C to the whole
// group, and the second SIGINT, ours, would end it at once.
func stopGently(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = killAfter
}

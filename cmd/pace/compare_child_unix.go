//go:build unix

package main

import (
	"context"
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

func shellCommand(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "/bin/sh", "-c", command)
}

// stopShell ends a cancelled shell with all that it has started, which needs a process group of their own. At a terminal
// they stay in ours: only its foreground group may ask for a password, and Ctrl-C reaches that by itself.
func stopShell(cmd *exec.Cmd, interactive bool) {
	cmd.WaitDelay = killAfter
	if interactive {
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

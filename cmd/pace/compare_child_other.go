//go:build !unix

package main

import (
	"context"
	"os/exec"
)

// stopGently leaves it at killing a cancelled run: there is no signal to ask it with. Compare deletes what it leaves.
func stopGently(cmd *exec.Cmd) { cmd.WaitDelay = killAfter }

func shellCommand(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "cmd", "/C", command)
}

func stopShell(cmd *exec.Cmd, _ bool) { cmd.WaitDelay = killAfter }

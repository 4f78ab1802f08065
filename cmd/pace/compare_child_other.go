//go:build !unix

package main

import "os/exec"

// stopGently leaves it at killing a cancelled run: there is no signal to ask it with. Compare deletes what it leaves.
func stopGently(cmd *exec.Cmd) { cmd.WaitDelay = killAfter }

package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// around is what happens before and after each run.
type around struct {
	prepare, cleanup string // for the shell; empty for nothing
	drop             dropped
	interactive      bool // a person may be asked for a password
}

// shell has the shell run a command of the user's. It tells what the command said if that fails.
func (a around) shell(ctx context.Context, flag, command string) error {
	if command == "" {
		return nil
	}
	cmd := shellCommand(ctx, command)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stopShell(cmd, a.interactive)
	err := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		return nil
	}
	said := strings.TrimSpace(complaints.String())
	if said == "" {
		said = err.Error()
	}
	return fmt.Errorf("%s %q failed: %s", flag, command, said)
}

// before makes the machine ready for a run.
func (a around) before(ctx context.Context, w compared) error {
	if err := a.shell(ctx, "--prepare", a.prepare); err != nil {
		return err
	}
	return a.drop.now(ctx, w)
}

// after runs even when the run was interrupted: what --prepare did is to be undone.
func (a around) after(ctx context.Context) error {
	return a.shell(context.WithoutCancel(ctx), "--cleanup", a.cleanup)
}

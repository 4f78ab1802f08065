package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// child runs the compared command, each time in a process of its own.
type child struct {
	compared
	around
	binary string
	dir    string // holds the runs' reports
	runs   int
	trace  string // where the next run writes its trace; empty for no trace
	others
}

func newChild(w compared, a around) (*child, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pace-compare-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a temporary folder: %w", err)
	}
	return &child{compared: w, around: a, binary: binary, dir: dir}, nil
}

// run does the work once and returns its report. What it wrote is deleted again at once, so that all runs find the same:
// many large copies would meet the kernel's limit for pages that are not yet on the device, and slow the later runs. A tree
// goes at once too: copies of 500 files were as fast after one that was deleted as after one that was kept.
func (c *child) run(ctx context.Context, s setting) (report, error) {
	c.runs++
	if err := c.before(ctx, c.compared); err != nil {
		return report{}, err
	}
	r, err := c.work(ctx, s)
	err = cmp.Or(err, c.removeOutputs(), c.removeCopies())
	return r, cmp.Or(err, c.after(ctx))
}

func (c *child) work(ctx context.Context, s setting) (report, error) {
	path := filepath.Join(c.dir, fmt.Sprintf("%d.json", c.runs))
	cmd := exec.CommandContext(ctx, c.binary, c.args(s, path)...)
	cmd.Args[0] = os.Args[0]
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stopGently(cmd)
	ended := c.observe()
	err := cmd.Run()
	ended(cmd.ProcessState)
	if ctx.Err() != nil {
		return report{}, ctx.Err()
	}
	if err != nil {
		return report{}, c.failed(s, err, complaints.String())
	}
	var r report
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return report{}, fmt.Errorf("cannot read the run's report: %w", err)
	}
	return r, nil
}

// args returns the command line of one run.
func (c *child) args(s setting, reportPath string) []string {
	args := append([]string{c.tool}, c.ownOutputs()...)
	args = append(args, "--mode="+s.mode.String(), "--report="+reportPath, "--progress=never", "--quiet")
	if s.workers != "" {
		args = append(args, "--workers="+s.workers)
	}
	if c.trace != "" {
		args = append(args, "--trace="+c.trace)
	}
	operands := c.operands
	switch c.tool {
	case "copy":
		operands = append(operands[:len(operands):len(operands)], c.copyName())
	case "crawl":
		args = append(args, "--output="+os.DevNull)
	}
	return append(append(args, "--"), operands...)
}

// copyName returns a name that is this run's alone, beside the destination that the user named.
func (c *child) copyName() string { return fmt.Sprintf("%s%d", c.copyPrefix(), c.runs) }

func (c *child) copyPrefix() string { return fmt.Sprintf("%s.pace-compare-%d-", c.dest, os.Getpid()) }

// removeCopies deletes this comparison's copies, and the part files of a copy that was killed.
func (c *child) removeCopies() error {
	if c.dest == "" {
		return nil
	}
	dir, prefix := filepath.Dir(c.dest), filepath.Base(c.copyPrefix())
	return removeMatching(dir, func(name string) bool { return strings.HasPrefix(strings.TrimPrefix(name, "."), prefix) })
}

func (c *child) cleanUp() {
	_ = c.removeCopies() // the run has said so
	_ = os.RemoveAll(c.dir)
}

// failed tells what a run that failed said.
func (c *child) failed(s setting, err error, complaints string) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitUsage {
		_, text, _ := strings.Cut(strings.TrimSpace(complaints), ": ")
		return usagef(c.tool, "%s", text)
	}
	said := strings.TrimSpace(strings.ReplaceAll("\n"+complaints, "\npace: ", "\n"))
	if said == "" {
		said = err.Error()
	}
	return fmt.Errorf("the %s run failed: %s", s, said)
}

const killAfter = 5 * time.Second // for a run that does not end when it is asked to

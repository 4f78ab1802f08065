package main

import (
	"context"
	"errors"
	"fmt"

	filecopy "pace/copy"
	"pace/crawl"
	"pace/limiter"
)

const (
	exitOK          = 0
	exitItemsFailed = 1   // finished, but some items failed
	exitUsage       = 2   // the command line is wrong; nothing was done
	exitStopped     = 3   // could not go on
	exitInterrupted = 130 // 128 + SIGINT, as shells count
)

// usageError is a command line that cannot be followed.
type usageError struct {
	command string // empty for pace itself
	text    string
}

func (e *usageError) Error() string { return e.text }

func usagef(command, format string, args ...any) error {
	return &usageError{command: command, text: fmt.Sprintf(format, args...)}
}

// inCommand gives a usage error found where no command is known the command it is about.
func inCommand(command string, err error) error {
	var (
		copyUsage  *filecopy.UsageError
		crawlUsage *crawl.UsageError
		threads    *limiter.ThreadLimitError
	)
	if errors.As(err, &copyUsage) || errors.As(err, &crawlUsage) || errors.As(err, &threads) {
		return &usageError{command: command, text: err.Error()}
	}
	return err
}

// exitError ends the run with a code when everything has been said already.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitCode is the one place that maps what happened to an exit code.
func exitCode(err error) int {
	var (
		exit  *exitError
		usage *usageError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitStopped
}

// errorLine returns what to print for err, or nothing if it needs no word.
func errorLine(err error) string {
	var (
		exit  *exitError
		usage *usageError
	)
	switch {
	case err == nil, errors.As(err, &exit):
		return ""
	case errors.As(err, &usage):
		if usage.command == "" {
			return "pace: " + escape(usage.text)
		}
		return "pace " + usage.command + ": " + escape(usage.text)
	case errors.Is(err, context.Canceled):
		return "" // the summary says so, and who pressed Ctrl-C knows
	case errors.Is(err, errReaderGone):
		return ""
	}
	return "pace: " + escape(err.Error())
}

// Command pace copies files and crawls pages, in three modes that differ only in how they wait.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// streams is where one run reads from and writes to, so that a whole run can be a test.
type streams struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

func main() {
	ctx, stop := interruptible()
	code := run(ctx, os.Args[1:], streams{os.Stdin, stdoutFile{os.Stdout}, os.Stderr})
	stop()
	os.Exit(code)
}

// interruptible returns a context that the first SIGINT or SIGTERM cancels. The second one ends the process at once.
func interruptible() (context.Context, context.CancelFunc) {
	// Without a receiver, the runtime would end the process when the reader of stdout has gone, and leave the report
	// unwritten. With one, the write fails with EPIPE instead. Nobody needs to read the channel.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // stop gives the signals their default meaning back
	return ctx, stop
}

// run does what the arguments say and returns the exit code. It is the only place that prints an error that ends a run.
func run(ctx context.Context, args []string, std streams) int {
	err := dispatch(ctx, args, std)
	if line := errorLine(err); line != "" {
		_, _ = io.WriteString(std.stderr, line+"\n")
	}
	return exitCode(err)
}

// dispatch reads the arguments and runs the command that they name.
func dispatch(ctx context.Context, args []string, std streams) error {
	// The first app only checks: its values are set once here, and those of the second once by the cli package.
	a, err := parseArgs(newApp(std), args)
	if err != nil {
		return err
	}
	app := newApp(std)
	switch {
	case a.version:
		_, err := io.WriteString(std.stdout, versionText()+"\n")
		return err
	case a.help:
		return writeHelp(std.stdout, app, a.command)
	case a.command == nil:
		// As git: the help, and a code that says nothing was done.
		if err := writeHelp(std.stderr, app, nil); err != nil {
			return err
		}
		return &exitError{code: exitUsage}
	}
	return app.RunContext(ctx, a.normal())
}

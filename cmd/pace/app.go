package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// newApp returns the commands and their flags. Help, completion and the argument pass are all made from it.
func newApp(std streams) *cli.App {
	return &cli.App{
		Name:  "pace",
		Usage: "copy files and crawl pages, in three modes that differ in how they wait",
		Commands: []*cli.Command{
			copyCommand(std), crawlCommand(std), verifyCommand(std), compareCommand(std), demoCommand(std),
			serveCommand(std), fleetCommandOf(std), completionCommand(std),
		},
		Writer:      std.stdout,
		ErrWriter:   std.stderr,
		HideHelp:    true, // help.go writes it
		HideVersion: true,
		// The package's own handler would end the process.
		ExitErrHandler: func(*cli.Context, error) {},
	}
}

// versionText returns the version of the module, or of the checkout that it was built from.
func versionText() string {
	return fmt.Sprintf("pace %s (%s %s/%s)", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version returns the module's version, or the revision that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	return revision(info.Settings)
}

func revision(settings []debug.BuildSetting) string {
	rev, dirty := "devel", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	return rev + dirty
}

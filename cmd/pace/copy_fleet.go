package main

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	filecopy "pace/copy"
	"pace/limiter/fleet"
)

// copyFleet is what copy says of the fleet that does its job.
type copyFleet struct {
	fleetFlags
	lease    time.Duration
	attempts int
	settings map[string]string // of the job
}

func (f *copyFleet) flags() []cli.Flag {
	return append(f.fleetFlags.flags(), valueFlag(groupFleet, "fleet-lease",
		"hold a part of the work for `DURATION`, renewed at a third; what a dead process held waits so long",
		into(&f.lease, durationKind, "30s")),
		attemptsFlag("a file or a part of one", filecopy.FleetAttempts, &f.attempts))
}

// Flags of copy that its job does not keep, besides those that say what is shown: where it goes and which names are left
// out stand in settings of their own.
var ownCopyFlags = []string{
	"mode", "workers", "max-workers", "verbose", "reflink", "header", "proxy", "timeout", "min-speed", "retries",
	"target-directory", "include", "exclude", "filter-from",
}

// Settings of a job besides its flags.
const (
	sourcesSetting = "sources"
	destSetting    = "destination"
	intoSetting    = "into"
	storeSetting   = "object-store"
	filterSetting  = "filter"
)

// prepareFleet takes from the job what the command line does not say, and notes what all its workers must agree on. It
// returns the operands with paths that do not depend on the folder that the process is in.
func (f *copyFlags) prepareFleet(c *cli.Context, operands []string) ([]string, error) {
	if err := f.fleet.checkShare("copy", f.fleet.lease); err != nil || f.fleet.url == "" {
		return operands, err
	}
	was, err := f.fleet.recorded(c.Context, "copy")
	if err != nil {
		return nil, err
	}
	settings, err := takeSettings(c, was, "the job "+f.fleet.job, func(name, group string) bool {
		return group == groupShow || group == groupFleet || slices.Contains(ownCopyFlags, name)
	})
	if err != nil {
		return nil, err
	}
	settings[commandSetting] = "copy"
	f.fleet.settings = settings
	if err := f.fleetFilter(was); err != nil {
		return nil, err
	}
	if len(operands) == 0 && f.targetDir == "" {
		operands, err = f.joined(was)
	} else {
		operands, err = f.placed(operands)
	}
	if err == nil {
		err = f.fleetStore(operands)
	}
	return operands, err
}

// joined returns the operands that the job was begun with.
func (f *copyFlags) joined(was map[string]string) ([]string, error) {
	if was == nil {
		return nil, usagef("copy", "there is nothing to copy, and no job %s to join", f.fleet.job)
	}
	for _, name := range []string{sourcesSetting, destSetting, intoSetting} {
		f.fleet.settings[name] = was[name]
	}
	operands := keptPaths(was[sourcesSetting])
	dest := keptPaths(was[destSetting])[0]
	if was[intoSetting] == "true" {
		f.targetDir = dest
		return operands, nil
	}
	return append(operands, dest), nil
}

// placed notes where the operands lead.
func (f *copyFlags) placed(operands []string) ([]string, error) {
	all := slices.Clone(operands)
	if f.targetDir != "" {
		all = append(all, f.targetDir)
	}
	for i, name := range all {
		var err error
		if all[i], err = absolute(name); err != nil {
			return nil, err
		}
	}
	last := len(all) - 1
	f.fleet.settings[sourcesSetting] = keepPaths(all[:last])
	f.fleet.settings[destSetting] = keepPaths(all[last:])
	f.fleet.settings[intoSetting] = strconv.FormatBool(f.targetDir != "")
	if f.targetDir != "" {
		f.targetDir = all[last]
		return all[:last], nil
	}
	return all, nil
}

// absolute returns a path that means the same in each folder. A slash or a dot at its end says something of its own.
func absolute(name string) (string, error) {
	if name == "" || name == "-" || filecopy.IsURL(name) {
		return name, nil
	}
	path, err := filepath.Abs(name)
	slash := string(filepath.Separator)
	switch base := filepath.Base(name); {
	case err != nil:
	case base == "." || base == "..":
		path = strings.TrimSuffix(path, slash) + slash + "."
	case strings.HasSuffix(name, slash) && path != slash:
		path += slash
	}
	return path, err
}

// keepPaths returns paths as a setting, a line each. One that would not be a line of text is quoted as in Go.
func keepPaths(paths []string) string {
	lines := make([]string, len(paths))
	for i, path := range paths {
		if lines[i] = path; !utf8.ValidString(path) || strings.ContainsAny(path, "\n\r") || strings.HasPrefix(path, `"`) {
			lines[i] = strconv.Quote(path)
		}
	}
	return strings.Join(lines, "\n")
}

func keptPaths(text string) []string {
	paths := strings.Split(text, "\n")
	for i, line := range paths {
		if unquoted, err := strconv.Unquote(line); err == nil && strings.HasPrefix(line, `"`) {
			paths[i] = unquoted
		}
	}
	return paths
}

// fleetFilter makes the rules of the command line a setting, or takes those of the job if there are none.
func (f *copyFlags) fleetFilter(was map[string]string) error {
	rules, err := f.rules("copy")
	if err != nil {
		return err
	}
	if len(rules) == 0 && was[filterSetting] != "" {
		if rules, err = filecopy.ParseFilter(strings.NewReader(was[filterSetting])); err != nil {
			return err
		}
		f.parts = nil
		for _, r := range rules {
			f.parts = append(f.parts, filterPart{rule: r})
		}
	}
	var lines []string
	for _, r := range rules {
		sign := "- "
		if r.Include {
			sign = "+ "
		}
		lines = append(lines, sign+r.Pattern)
	}
	if lines != nil {
		f.fleet.settings[filterSetting] = strings.Join(lines, "\n")
	}
	return nil
}

// options returns what the library is told of the fleet, or nil without one.
func (f *copyFleet) options() *fleet.Options {
	if f.url == "" {
		return nil
	}
	o := f.fleetFlags.options()
	o.Lease, o.MaxAttempts, o.Settings = f.lease, f.attempts, f.settings
	return &o
}

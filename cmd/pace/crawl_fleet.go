package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pace/limiter/fleet"
)

// fleetFlags say which job on which Redis a command is about.
type fleetFlags struct {
	url, job string
}

const groupFleet = "More than one machine"

// Where the name and password for Redis stand, if not in its URL: what is on a command line, everyone on the machine can
// read.
const (
	fleetUsername = "PACE_FLEET_USERNAME"
	fleetPassword = "PACE_FLEET_PASSWORD"
)

func (f *fleetFlags) flags() []cli.Flag {
	return []cli.Flag{
		valueFlag(groupFleet, "fleet", "share the job through the Redis or Valkey at `URL`: redis://[USER:PASSWORD@]HOST:PORT"+
			"[/DB], with ?prefix=TEXT for its keys, rediss:// for TLS, several hosts with commas for a Cluster; "+
			fleetUsername+" and "+fleetPassword+" may say who", into(&f.url, textKind, "")),
		valueFlag(groupFleet, "job", "the job's `NAME`; all processes that name it work on it", into(&f.job, textKind, "")),
	}
}

// check returns an error if the URL or the job's name cannot be one.
func (f *fleetFlags) check(command string) error {
	if err := fleet.Check(f.url, f.job); err != nil {
		return usagef(command, "%v", err)
	}
	return nil
}

func (f *fleetFlags) options() fleet.Options {
	return fleet.Options{
		URL: f.url, Job: f.job, Username: os.Getenv(fleetUsername), Password: os.Getenv(fleetPassword),
	}
}

// shared is what a command says of the fleet that does its job.
type shared struct {
	fleetFlags
	lease      time.Duration
	maxPending int
	hostMost   int
	attempts   int
	expect     int64
}

func (f *shared) flags() []cli.Flag {
	many := countKind(0, 1<<31-1, "5")
	var expect = kind[int64]{usage: "use a number such as 1000000", parse: func(s string) (int64, error) {
		n, err := many.parse(s)
		return int64(n), err
	}}
	return append(f.fleetFlags.flags(),
		valueFlag(groupFleet, "fleet-lease",
			"hold a host for `DURATION`, renewed at a third; what a dead process held waits so long",
			into(&f.lease, durationKind, "30s")),
		valueFlag(groupFleet, "max-pending", "leave links out while `N` pages wait in Redis; 0 is unlimited",
			into(&f.maxPending, many, "0")),
		valueFlag(groupFleet, "max-pending-per-host", "leave a host's links out while `N` of its pages wait; 0 is unlimited",
			into(&f.hostMost, many, "0")),
		attemptsFlag("a page", fleet.DefaultMaxAttempts, &f.attempts),
		valueFlag(groupFleet, "expect-urls", "make room in the job's seen-set for about `N` URLs, when it is begun",
			into(&f.expect, expect, "1000000")),
	)
}

// attemptsFlag is the flag that bounds how often something of a job is begun.
func attemptsFlag(what string, usual int, to *int) cli.Flag {
	return valueFlag(groupFleet, "max-attempts",
		"give "+what+" up when `N` processes ended that had it in hand; pace fleet status lists what is dead",
		into(to, countKind(1, 1<<31-1, "10"), strconv.Itoa(usual)))
}

// fleetOptions returns what the library is told of the fleet, or nil without one.
func (f *shared) fleetOptions() *fleet.Options {
	if f.url == "" {
		return nil
	}
	o := f.options()
	o.Lease, o.MaxPending, o.MaxPendingPerKey, o.Expect = f.lease, f.maxPending, f.hostMost, f.expect
	o.MaxAttempts = f.attempts
	return &o
}

// check returns an error if the flags do not go together.
func (f *shared) check(command string) error { return f.checkShare(command, f.lease) }

// checkShare returns an error if a command that takes part in a job for a lease at a time cannot.
func (f *fleetFlags) checkShare(command string, lease time.Duration) error {
	switch {
	case f.url == "" && f.job != "":
		return usagef(command, "--job is of use with --fleet only")
	case f.url != "" && f.job == "":
		return usagef(command, "--fleet needs the job's name: --job NAME")
	case f.url != "" && lease < time.Second:
		return usagef(command, "--fleet-lease %v: a lease lasts at least a second", lease)
	case f.url != "":
		return f.check(command)
	}
	return nil
}

// Flags of crawl that its job does not keep, besides those that say how a run is driven and shown: outputs are each
// process's own, as is how long it takes part and with which machine's certificates and cookies.
var ownFlags = []string{
	"input", "max-time", "output", "warc", "warc-size", "mirror", "graph", "cookie-jar", "resolve", "proxy", "fsync",
}

// jobSettings returns what all processes of a job must agree on. Flags that are not on the command line are set as the job
// has them, so that `pace crawl --fleet URL --job NAME` joins it as it is.
func (f *shared) jobSettings(c *cli.Context) (map[string]string, error) {
	was, err := f.recorded(c.Context, "crawl")
	if err != nil {
		return nil, err
	}
	settings, err := takeSettings(c, was, "the job "+f.job, func(name, group string) bool {
		return group == groupHow || group == groupShow || group == groupFleet || slices.Contains(ownFlags, name)
	})
	if err == nil {
		settings[commandSetting] = "crawl"
	}
	return settings, err
}

// commandSetting is the setting that says which command a job is of.
const commandSetting = "command"

// recorded returns the settings of the job, or none if it has not begun. One of another command is a usage error.
func (f *fleetFlags) recorded(ctx context.Context, command string) (map[string]string, error) {
	job, err := fleet.Look(ctx, f.options())
	if errors.Is(err, fleet.ErrNoJob) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	settings := job.Record().Settings
	if err := job.Leave(); err != nil {
		return nil, err
	}
	if of := settings[commandSetting]; of != command {
		return nil, usagef(command, "the job %s is one of pace %s", f.job, of)
	}
	return settings, nil
}

// resumeWords returns the command that joins the job again, without a password.
func (f *fleetFlags) resumeWords(command string) string {
	at := f.url
	if scheme, rest, ok := strings.Cut(at, "://"); ok {
		authority, query, _ := strings.Cut(rest, "?")
		at = scheme + "://" + authority[strings.LastIndexByte(authority, '@')+1:]
		if query != "" {
			at += "?" + query
		}
	}
	return "pace " + command + " --fleet " + shellWord(at) + " --job " + shellWord(f.job)
}

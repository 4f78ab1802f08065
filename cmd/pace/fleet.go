package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	filecopy "pace/copy"
	"pace/crawl"
	"pace/limiter/fleet"
)

// fleetVerbs are what can be done with a job, and how.
var fleetVerbs = map[string]func(*fleetCommand, context.Context, *fleet.Job) error{
	"status": (*fleetCommand).status,
	"pause":  func(f *fleetCommand, ctx context.Context, j *fleet.Job) error { return f.set(ctx, j, fleet.Paused) },
	"drain":  func(f *fleetCommand, ctx context.Context, j *fleet.Job) error { return f.set(ctx, j, fleet.Draining) },
	"resume": func(f *fleetCommand, ctx context.Context, j *fleet.Job) error { return f.set(ctx, j, "") },
	"delete": (*fleetCommand).remove,
}

type fleetCommand struct {
	fleetFlags
	json bool
	out  io.Writer
}

func fleetCommandOf(std streams) *cli.Command {
	f := &fleetCommand{out: std.stdout}
	return &cli.Command{
		Name:      "fleet",
		HideHelp:  true,
		Usage:     "look at a job that many machines share, and stop it",
		UsageText: "pace fleet status|pause|resume|drain|delete --fleet URL --job NAME",
		Description: `
status  shows how far the job is, who works on it, and what was tried in vain
pause   lets its workers wait, when they are through with what they hold
drain   lets them give back what they hold, and end
resume  ends pause and drain; workers that have ended are to be started again
delete  removes all that Redis has of the job; its workers end, with an error

Examples:
  pace fleet status --fleet redis://10.0.0.5:6379 --job news
  pace fleet drain --fleet redis://10.0.0.5:6379 --job news`,
		Flags: append(f.flags(), switchFlag(groupShow, "json", "show the status as JSON", &f.json)),
		Action: func(c *cli.Context) error {
			return f.run(c.Context, c.Args().Slice())
		},
	}
}

func (f *fleetCommand) run(ctx context.Context, operands []string) error {
	if len(operands) != 1 {
		return operandsError("fleet", "needs one of status, pause, resume, drain, delete")
	}
	do := fleetVerbs[operands[0]]
	switch {
	case do == nil:
		return usagef("fleet", "%q: use status, pause, resume, drain or delete", operands[0])
	case f.url == "" || f.job == "":
		return usagef("fleet", "which job? use --fleet URL --job NAME")
	}
	if err := f.check("fleet"); err != nil {
		return err
	}
	job, err := fleet.Look(ctx, f.options())
	if errors.Is(err, fleet.ErrNoJob) {
		return fmt.Errorf("there is no job %s; it may have been deleted, or be over for long", f.job)
	}
	if err != nil {
		return err
	}
	err = do(f, ctx, job)
	if leaveErr := job.Leave(); err == nil {
		err = leaveErr
	}
	return err
}

func (f *fleetCommand) set(ctx context.Context, job *fleet.Job, state string) error {
	if err := job.SetState(ctx, state); err != nil {
		return err
	}
	_, err := fmt.Fprintf(f.out, "%s is %s\n", f.job, stateWord(state, job.Record()))
	return err
}

func (f *fleetCommand) remove(ctx context.Context, job *fleet.Job) error {
	if err := job.Delete(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintf(f.out, "%s is deleted\n", f.job)
	return err
}

// stateWord returns the state of a job in a word.
func stateWord(state string, r fleet.Record) string {
	switch {
	case !r.Finished.IsZero():
		return "finished"
	case state == "":
		return "running"
	}
	return state
}

// fleetStatus is what status shows.
type fleetStatus struct {
	Job      string            `json:"job"`
	Command  string            `json:"command"`
	State    string            `json:"state"`
	Created  time.Time         `json:"created"`
	Finished *time.Time        `json:"finished,omitempty"`
	Added    int64             `json:"items_added"`
	Done     int64             `json:"items_done"`
	Bytes    int64             `json:"bytes_done"`
	Pending  int64             `json:"items_pending"`
	Dead     int64             `json:"items_dead"`
	Hosts    int64             `json:"hosts_pending"`
	Leased   int64             `json:"hosts_leased"`
	Sources  int64             `json:"sources_open"`
	PerShard float64           `json:"seen_members_per_shard"`
	Settings map[string]string `json:"settings"`
	Workers  []fleet.Worker    `json:"workers"`
	Letters  []deadItem        `json:"dead"` // the first hundred

	Failed   int64             `json:"items_failed"`       // for good, of a copy
	Failures map[string]string `json:"failures,omitempty"` // why, of the first thousand
}

// deadItem is one that was handed out too often.
type deadItem struct {
	Host     string `json:"host,omitempty"`
	URL      string `json:"url"`
	Attempts int    `json:"attempts"`
}

func (f *fleetCommand) status(ctx context.Context, job *fleet.Job) error {
	s, err := f.read(ctx, job)
	if err != nil {
		return err
	}
	if f.json {
		e := json.NewEncoder(f.out)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	_, err = io.WriteString(f.out, s.text())
	return err
}

func (f *fleetCommand) read(ctx context.Context, job *fleet.Job) (*fleetStatus, error) {
	c, err := job.Counts(ctx)
	if err != nil {
		return nil, err
	}
	r := job.Record()
	s := &fleetStatus{
		Job: f.job, Command: r.Settings[commandSetting], State: stateWord(c.State, r),
		Created: r.Created.UTC(), Settings: r.Settings,
		Workers: []fleet.Worker{}, Letters: []deadItem{}, // null is no list to those who read it
		Added: c.Added, Done: c.Done, Bytes: c.Bytes, Pending: c.Pending(), Dead: c.Dead,
		Hosts: c.Keys, Leased: c.Leased, Sources: c.Sources,
	}
	if !r.Finished.IsZero() {
		at := r.Finished.UTC()
		s.Finished = &at
	}
	workers, err := job.Workers(ctx)
	if err != nil {
		return nil, err
	}
	s.Workers = append(s.Workers, workers...)
	if s.PerShard, err = job.PerShard(ctx); err != nil {
		return nil, err
	}
	const most = 100
	letters, err := job.Dead(ctx, most)
	for _, l := range letters {
		s.Letters = append(s.Letters, s.dead(l))
	}
	if err == nil {
		s.Failed, s.Failures, err = job.Failed(ctx)
	}
	return s, err
}

// dead returns what a dead item was about.
func (s *fleetStatus) dead(l fleet.Letter) deadItem {
	if s.Command == "copy" {
		return deadItem{URL: filecopy.FleetItem(l.Payload), Attempts: l.Attempts}
	}
	return deadItem{Host: l.Key, URL: crawl.FleetURL(l.Payload), Attempts: l.Attempts}
}

// crowded is how many members of a shard are near the number from which they take much more memory.
const crowded = 400

func (s *fleetStatus) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, begun %s\n", s.Job, s.State, s.Created.Format(time.RFC3339))
	if s.Finished != nil {
		fmt.Fprintf(&b, "finished %s\n", s.Finished.Format(time.RFC3339))
	}
	soFar := " found so far" // what they lead to is not known
	if s.Finished != nil {
		soFar = ""
	}
	fmt.Fprintf(&b, "items: %d done of %d%s, %d waiting, %d dead\n", s.Done, s.Added, soFar, s.Pending, s.Dead)
	fmt.Fprintf(&b, "bytes: %s%s\n", bytesText(float64(s.Bytes)), s.speed())
	keys := "hosts"
	if s.Command == "copy" {
		keys = "folders and stripes of files"
		fmt.Fprintf(&b, "a copy of %s to %s\n", escape(strings.ReplaceAll(s.Settings[sourcesSetting], "\n", ", ")),
			escape(s.Settings[destSetting]))
	}
	fmt.Fprintf(&b, "%s: %d with items, %d of them leased\n", keys, s.Hosts, s.Leased)
	if s.Sources > 0 {
		fmt.Fprintf(&b, "lists of URLs that are not read to their end: %d\n", s.Sources)
	}
	if s.PerShard > crowded && s.Command != "copy" {
		fmt.Fprintf(&b, "warning: %.0f members a shard of the seen-set; above 512 each takes some 70 bytes instead of 9: "+
			"begin such a job with a larger --expect-urls\n", s.PerShard)
	}
	fmt.Fprintf(&b, "workers: %d\n", len(s.Workers))
	for _, w := range s.Workers {
		gone := ""
		if !w.Alive {
			gone = ", not heard of since " + w.Seen.Format(time.RFC3339)
		}
		fmt.Fprintf(&b, "  %s since %s: %d done, %.1f/s, %s, %s/s, %d leases%s\n",
			escape(w.Worker), w.Since.Format(time.RFC3339), w.Items, w.Rate, bytesText(float64(w.Bytes)), bytesText(w.Speed),
			w.Leases, gone)
	}
	for _, l := range s.Letters {
		fmt.Fprintf(&b, "dead after %d attempts: %s\n", l.Attempts, escape(l.URL))
	}
	if s.Failed > 0 {
		fmt.Fprintf(&b, "failed: %d\n", s.Failed)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Failures)) {
		fmt.Fprintf(&b, "  %s: %s\n", escape(name), escape(s.Failures[name]))
	}
	return b.String()
}

// speed returns how fast those who work on a job that is not over move bytes together, in words.
func (s *fleetStatus) speed() string {
	if s.Finished != nil {
		return ""
	}
	sum := 0.0
	for _, w := range s.Workers {
		if w.Alive {
			sum += w.Speed
		}
	}
	return fmt.Sprintf(", %s/s", bytesText(sum))
}

package crawl

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/zeebo/xxh3"

	"pace/limiter/exchange"
	"pace/limiter/fleet"
)

// hostsAWorker is how many hosts are leased for each request in flight: a host that rests keeps none busy.
const hostsAWorker = 8

// joinFleet joins the job that o names, or makes it.
func joinFleet(ctx context.Context, o *Options) error {
	if o.Fleet == nil {
		return nil
	}
	switch {
	case o.State != "":
		return &UsageError{"a fleet's crawl is kept by its job, not by a state"}
	case o.PerIP > 0:
		return &UsageError{"addresses have no pace in a fleet: its workers share hosts"}
	}
	fo := *o.Fleet
	fo.Gap, fo.Settings, fo.MaxCounted = gapOf(o.Rate), o.Settings, o.MaxPages
	if o.MaxPages > 0 {
		fo.Partitions = 1 // several would each have their part of the pages
	}
	if fo.Log == nil {
		fo.Log = o.Log
	}
	if len(o.Seeds) == 0 {
		look, err := fleet.Look(ctx, fo)
		if errors.Is(err, fleet.ErrNoJob) {
			return &UsageError{fmt.Sprintf("there is no URL to crawl, and no job %s to join", fo.Job)}
		}
		if err != nil {
			return err
		}
		if err := look.Leave(); err != nil {
			return err
		}
	}
	if len(o.Seeds) > 0 && !slices.ContainsFunc(o.Seeds, func(seed string) bool { return CheckSeed(seed) == nil }) {
		return nil // the crawl says so, and begins no job
	}
	job, err := fleet.Open(ctx, fo)
	if different := (*fleet.OptionsError)(nil); errors.As(err, &different) {
		return &UsageError{different.Error()}
	}
	o.job = job
	if err == nil && o.GlobalRate != nil {
		o.GlobalRate = job.Rate("requests", o.GlobalRate.PerSecond())
	}
	return err
}

// gapOf returns how far apart starts at a rate a second are.
func gapOf(rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(min(float64(time.Second)/rate, float64(exchange.MaxAsked)))
}

// openFleet opens the frontier of the job that was joined.
func (c *crawler) openFleet() error {
	f, err := newFleetFrontier(
		c.o.job, c.hosts, hostsAWorker*c.workers(), c.counter, c.gate, c.known,
	)
	if err != nil {
		return err
	}
	said := map[string]bool{}
	f.tellFull = func(host string) { // by one worker at a time
		if !said[host] && len(said) < 1000 {
			said[host] = true
			c.log.Warn("too much waits in the job: links are left out (see --max-pending)", "host", host)
		}
	}
	c.frontier, c.fleet = f, f
	return nil
}

// plantShared queues the seeds while the job waits for the end of their list. Who comes with the same list when it was
// queued before adds nothing.
func (c *crawler) plantShared(ctx context.Context, s *seeds) error {
	if len(s.items) == 0 && len(s.bad) == 0 {
		return nil
	}
	name := sourceOf(c.o.Seeds)
	era := c.o.job.Era()
	err := c.plantFrom(ctx, name, func() error { return c.plant(s) })
	if err != nil {
		return err
	}
	c.fleet.plantAgain(era, func(ctx context.Context) error {
		return c.plantFrom(ctx, name, func() error { return c.queueSeeds(c.readSeeds().items) })
	})
	return nil
}

// plantFrom queues what a source has. If Redis was restarted meanwhile, it may have lost some of that, and all of it is
// queued again.
func (c *crawler) plantFrom(ctx context.Context, source string, queue func() error) error {
	for {
		told := c.o.job.WithinEra(ctx)
		err := c.o.job.OpenSource(told, source)
		if err == nil {
			err = queue()
		}
		if err == nil {
			err = c.o.job.CloseSource(told, source)
		}
		switch {
		case errors.Is(err, fleet.ErrFinished):
			return nil
		case errors.Is(err, fleet.ErrUnread):
			return &UsageError{fmt.Sprintf("the job %s is finished and takes no more URLs: begin another (--job)", c.o.Fleet.Job)}
		case !errors.Is(err, fleet.ErrRestarted):
			return err
		}
	}
}

// sourceOf returns a name that lists of the same seeds have.
func sourceOf(seeds []string) string {
	h := xxh3.New()
	for _, seed := range slices.SortedFunc(slices.Values(seeds), cmp.Compare) {
		_, _ = h.WriteString(seed + "\n") // a hash takes everything
	}
	sum := h.Sum128().Bytes()
	return hex.EncodeToString(sum[:])
}

// watchFleet lets the end of the run wait no longer for the job than its leases are worth.
func (c *crawler) watchFleet(ctx context.Context) (stop func()) {
	over := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		t := time.NewTimer(endPatience)
		defer t.Stop()
		select {
		case <-over:
		case <-t.C:
			c.fleet.cancel()
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}

// sayFleet tells why a run ended that did not do all there was. It returns how many pages of the job were given up.
func (c *crawler) sayFleet(ctx context.Context) (dead int64, err error) {
	if c.fleet == nil {
		return 0, nil
	}
	c.fleet.mu.Lock()
	drained := c.fleet.drained
	c.fleet.mu.Unlock()
	switch finished := c.o.job.Record().Finished; {
	case !finished.IsZero(): // whoever drained it came too late
		c.log.Warn(fmt.Sprintf("the job %s was finished at %s: nothing of it is left to do",
			c.o.Fleet.Job, finished.UTC().Format(time.RFC3339)))
	case drained:
		c.log.Warn("the job is drained: what is left of it waits for pace fleet resume")
		return 0, nil
	}
	counts, err := c.o.job.Counts(ctx)
	if counts.Dead > 0 {
		c.log.Error(fmt.Sprintf("pages that were given up, because processes that had them in hand ended: %d; "+
			"pace fleet status names them", counts.Dead))
	}
	return counts.Dead, err
}

// FleetURL returns the URL of an item as a fleet's job has it, or nothing for what is none.
func FleetURL(payload []byte) string {
	_, packed, err := unpackFleet(payload)
	if err != nil {
		return ""
	}
	it, err := unpackItem(packed)
	if err != nil {
		return ""
	}
	return it.url.String()
}

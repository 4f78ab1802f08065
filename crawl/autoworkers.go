package crawl

import (
	"time"

	"pace/limiter"
)

// startWorkers is what AutoWorkers begins with: a server that answers one request at a time is to get no more.
const startWorkers = 4

// crew returns how many workers fetch pages, now and later.
func (c *crawler) crew() *limiter.Workers {
	if !c.o.AutoWorkers || c.o.Mode == limiter.Sequential {
		return limiter.FixedWorkers(c.workers())
	}
	c.tuner = limiter.NewTuner(limiter.Tuning{Start: startWorkers, Most: c.workers(), Tell: c.counter.SetWorkers})
	return c.tuner.Workers()
}

// settled is what a report has as the number of workers.
func (c *crawler) settled() int {
	if c.tuner == nil {
		return c.workers()
	}
	return c.tuner.Settled()
}

// answered tells the tuner of an answer. What a server refuses is no work, however quick it is; and how long a robots.txt
// took says nothing of pages.
func (c *crawler) answered(it *item, r *response) {
	switch {
	case c.tuner == nil || r.failure() != nil:
	case it.robots != nil:
		c.tuner.Done(1, 0)
	default:
		c.tuner.Done(1, time.Since(r.at))
	}
}

package crawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// nextInTime is next while the run has time left. After that it hands out nothing and returns io.EOF; requests in flight
// go on to their end.
func (c *crawler) nextInTime(ctx context.Context) (*item, error) {
	if c.o.MaxTime <= 0 {
		return c.next(ctx)
	}
	if !time.Now().Before(c.deadline) {
		return nil, io.EOF
	}
	timed, cancel := context.WithDeadline(ctx, c.deadline)
	defer cancel()
	it, err := c.next(timed)
	if err == nil || err == io.EOF || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return it, err
	}
	if it != nil {
		c.frontier.retry(it, it.notBefore) // it waited for --global-rate
	}
	return nil, io.EOF
}

// sayTimeIsOver tells what --max-time left undone, and says whether that is anything. Sitemaps are no items, so they may
// be all that is left.
func (c *crawler) sayTimeIsOver() bool {
	if c.o.MaxTime <= 0 || time.Now().Before(c.deadline) || !c.frontier.left() {
		return false
	}
	s := c.counter.Snapshot()
	c.log.Warn(fmt.Sprintf("stopped by --max-time after %v; URLs that are known and not fetched: %d",
		c.o.MaxTime, s.ItemsTotal-s.Items-s.ItemsSkipped))
	return true
}

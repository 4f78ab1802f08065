package crawl

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"pace/limiter/exchange"
)

// openOutputs opens the frontier, and the outputs as the frontier remembers them.
func (c *crawler) openOutputs() (err error) {
	c.ledger = &ledger{}
	var marks []byte
	if c.o.State == "" {
		c.frontier = newMemoryFrontier(c.hosts, c.o.MaxPages, c.counter, c.gate)
	} else if marks, err = c.openState(); err != nil {
		return err
	}
	c.frontier.setHostBudget(c.o.MaxPagesPerHost, func(host string) {
		c.log.Warn(fmt.Sprintf("%s has more than the %d pages of --max-pages-per-host", host, c.o.MaxPagesPerHost))
	})
	if err = c.o.fixPaths(); err == nil {
		c.outputs, err = openOutputs(&c.o, marks)
	}
	if err != nil {
		_ = c.closeState()
		return err
	}
	c.ledger.outputs, c.ledger.frontier = c.outputs, c.frontier
	c.ledger.durable, c.ledger.sync = c.state != nil, c.state != nil && c.o.Fsync
	return nil
}

// fixPaths makes the outputs' paths absolute: a resume may be begun from another folder, and marks are known by them.
func (o *Options) fixPaths() error {
	if o.CheckLinks && o.LinkSpool == "" && o.State != "" {
		o.LinkSpool = filepath.Join(o.State, stateLinks)
	}
	for _, path := range []*string{&o.OutputFile, &o.WARC, &o.Mirror, &o.Graph, &o.LinkSpool} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	return nil
}

// openState opens the state and takes over what it knows. It returns the outputs' marks.
func (c *crawler) openState() ([]byte, error) {
	s, err := openState(c.o.State)
	if err != nil {
		return nil, err
	}
	c.state = s
	old, err := c.recover()
	if err != nil {
		_ = c.closeState()
		return nil, err
	}
	for _, host := range old.hosts {
		c.known(host)
	}
	return old.marks, nil
}

// recover opens the frontier of the state.
func (c *crawler) recover() (*recovery, error) {
	if c.state.resumed && c.o.Settings != nil {
		if differ := c.state.differences(c.o.Settings); differ != "" {
			c.log.Warn("the state was made with other options: " + differ)
		}
	}
	db, err := c.state.store(c.o.Fsync)
	if err != nil {
		return nil, err
	}
	gap := time.Duration(0)
	if c.o.Rate > 0 {
		gap = time.Duration(min(float64(time.Second)/c.o.Rate, float64(exchange.MaxAsked)))
	}
	f, old, err := newDiskFrontier(db, c.hosts, gap, c.o.MaxPages, c.counter, c.gate)
	if f != nil {
		c.frontier, c.requeue = f, f.requeue
	}
	if err == nil && c.state.resumed && !old.found {
		err = damaged(errors.New("its database is empty"))
	}
	if err == nil && c.o.Recrawl {
		err = c.again(f, old)
	}
	if err != nil {
		return nil, err
	}
	return old, nil
}

// again begins to crawl all pages of a finished crawl again.
func (c *crawler) again(f *diskFrontier, old *recovery) error {
	switch {
	case !old.found:
		return nil // the first crawl of the state
	case old.again || old.pages > 0:
		c.log.Warn(c.o.State + " is unfinished: this run finishes it, and the next begins again")
		return nil
	}
	marks, err := recrawlMarks(old.marks)
	if err != nil {
		return err
	}
	old.marks = marks
	return f.again(marks)
}

// close ends the outputs and the frontier. finished says that nothing is left to crawl.
func (c *crawler) close(finished bool) error {
	err := c.outputs.close(finished)
	if closeErr := c.closeState(); err == nil {
		err = closeErr
	}
	return err
}

// closeState ends the frontier and gives its state free.
func (c *crawler) closeState() error {
	var err error
	if c.frontier != nil {
		err = c.frontier.close()
	}
	if c.state != nil && c.state.lock != nil {
		if closeErr := c.state.lock.Close(); err == nil {
			err = closeErr
		}
	}
	return err
}

package crawl

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// openOutputs opens the frontier, and the outputs as the frontier remembers them.
func (c *crawler) openOutputs() (err error) {
	c.ledger = &ledger{}
	old := &recovery{}
	if c.o.job != nil {
		if err := c.openFleet(); err != nil {
			return err
		}
	} else if c.o.State == "" {
		c.frontier = newMemoryFrontier(c.hosts, c.o.MaxPages, c.counter, c.gate)
	} else if old, err = c.openState(); err != nil {
		return err
	}
	c.frontier.setHostBudget(c.o.MaxPagesPerHost, func(host string) {
		c.log.Warn(fmt.Sprintf("%s has more than the %d pages of --max-pages-per-host", host, c.o.MaxPagesPerHost))
	})
	c.boundSitemaps(maxSitemapFiles)
	err = c.o.fixPaths()
	if err == nil && c.fleet != nil {
		old.marks, err = fleetMarks(&c.o)
	}
	if err == nil {
		c.outputs, err = openOutputs(&c.o, old.marks)
	}
	if err != nil {
		_ = c.closeState()
		return err
	}
	c.sayDifferences(old)
	c.ledger.outputs, c.ledger.frontier = c.outputs, c.frontier
	c.ledger.durable, c.ledger.sync = c.state != nil || c.fleet != nil, c.state != nil && c.o.Fsync
	if c.jar != nil && c.state != nil {
		c.ledger.before = c.jarBefore
	}
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

// outputFlags are the outputs that have something of each page, by their kinds. The records say by themselves where they
// are not continued.
var outputFlags = map[string]string{"warc": "--warc", "mirror": "--mirror", "graph": "--graph", "links": "--check-links"}

// sayDifferences tells in what this run differs from those before it, and which outputs it will leave incomplete.
func (c *crawler) sayDifferences(old *recovery) {
	if c.state == nil || !c.state.resumed {
		return
	}
	var said []string
	if c.o.Settings != nil {
		if differ := c.state.differences(c.o.Settings); differ != "" {
			said = append(said, "the state was made with other options: "+differ)
		}
	}
	var partial []string
	for _, kind := range c.outputs.anew {
		if flag := outputFlags[kind]; flag != "" {
			partial = append(partial, flag)
		}
	}
	if len(partial) > 0 && old.done > 0 {
		said = append(said, strings.Join(partial, ", ")+" will lack the pages that earlier runs fetched"+
			" (--recrawl, once this crawl is finished, fetches them again)")
	}
	if len(said) > 0 {
		c.log.Warn(strings.Join(said, "; "))
	}
}

// openState opens the state and takes over what it knows.
func (c *crawler) openState() (*recovery, error) {
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
	return old, nil
}

// recover opens the frontier of the state.
func (c *crawler) recover() (*recovery, error) {
	db, err := c.state.store(c.o.Fsync)
	if err != nil {
		return nil, err
	}
	f, old, err := newDiskFrontier(db, c.hosts, gapOf(c.o.Rate), c.o.MaxPages, c.counter, c.gate)
	if f != nil {
		c.frontier, c.requeue, c.bodies.stored = f, f.requeue, f.firstWith
	}
	if err == nil && c.state.resumed && !old.found {
		err = damaged(errors.New("its database is empty"))
	}
	if err == nil && c.o.Recrawl {
		err = c.again(f, old)
	}
	if err == nil {
		err = f.keepChoices(c.o.choices(), old.found)
		c.whole = f.whole
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
	old.marks, old.done = marks, 0
	return f.again(marks, c.o.choices())
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

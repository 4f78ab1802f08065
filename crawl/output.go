package crawl

// closing is an exchange that is over and what came of it, as outputs see it. It is valid until render returns.
type closing struct {
	item     *item
	record   *record   // of the page; nil where the item goes on (a redirect's hop) or is no page (robots.txt, a sitemap)
	response *response // nil without an exchange
	page     *Page     // what the scanner found; nil if the body is not HTML
	targets  []URL     // where page.Links lead, one for each; the zero URL for one that leads to no page
	failure  error     // why the item failed; nil if it did not, or goes on
}

// mark is how long a file of an output is.
type mark struct {
	Path string
	Size int64
}

// output keeps pages: the records, WARC files, a mirror, a graph.
type output interface {
	// render makes what is kept of p. Many workers call it at once. What it returns appends that to the output's files
	// with write(2), and is called in the ledger's turn: one at a time over all outputs. nil appends nothing.
	render(p *closing) (write func() error, err error)
	// marks returns how long the output's files are now, for a resume to cut them back to. It is called in turn too.
	marks() []mark
	// sync brings what was written to the device.
	sync() error
	// close ends the output. finished says that nothing is left to crawl.
	close(finished bool) error
}

// openOutputs opens what o asks for. With the marks of an earlier run, each output goes on from there.
func openOutputs(o Options, resume []mark) (opened []output, err error) {
	defer func() {
		if err != nil {
			for _, out := range opened {
				_ = out.close(false) // the first error is the one to tell
			}
			opened = nil
		}
	}()
	add := func(out output, openErr error) bool {
		if err = openErr; err == nil {
			opened = append(opened, out)
		}
		return err == nil
	}
	if o.WARC != "" && !add(openWARC(o, resume)) {
		return
	}
	if o.Mirror != "" && !add(openMirror(o, resume)) {
		return
	}
	if o.Graph != "" && !add(openGraph(o, resume)) {
		return
	}
	if o.CheckLinks {
		add(openLinkCheck(o, resume))
	}
	return
}

// markOf returns the mark of a file among those of all outputs.
func markOf(marks []mark, path string) (mark, bool) {
	for _, m := range marks {
		if m.Path == path {
			return m, true
		}
	}
	return mark{}, false
}

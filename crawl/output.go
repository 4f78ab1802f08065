package crawl

import (
	"encoding/json"
	"slices"
)

// closing is an exchange that is over and what came of it, as outputs see it. It is valid until render returns.
type closing struct {
	item      *item
	record    *record   // of the page; nil where the item goes on (a redirect's hop) or is no page (robots.txt, a sitemap)
	response  *response // nil without an exchange
	page      *Page     // what the scanner found; nil if the body is not HTML
	to        URL       // where the response redirects to, as [crawler.redirectTarget] has it; zero if it does not
	targets   []URL     // where page.Links lead, one for each; the zero URL for one that leads to no page
	unchanged *visit    // what the page was and, by a 304, still is
	passing   bool      // the item is tried again: only archives have this exchange
	failure   error     // why the item failed; nil if it did not, or goes on
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

// outputKind is one kind of output. Each has a name of its own, under which a state keeps its marks.
type outputKind struct {
	name  string
	asked func(o *Options) bool
	// open returns the output. With marks it cuts its files back to them and continues; files of its own that came after
	// are removed. Without marks it starts anew.
	open func(o *Options, resume []mark) (output, error)
	// present returns marks of what its files hold, and lock what keeps other processes from them; nil for an output that
	// no later run goes on with unless a state says how.
	present func(o *Options) ([]mark, error)
	lock    func(o *Options) string
}

// outputKinds are all kinds there are, in the order in which they write.
var outputKinds = []outputKind{
	{
		"records", func(o *Options) bool { return o.OutputFile != "" || o.Output != nil }, openRecords,
		presentRecords, func(o *Options) string { return o.OutputFile },
	},
	{
		"warc", func(o *Options) bool { return o.WARC != "" }, openWARC,
		presentWARC, func(o *Options) string { return o.WARC + ".cdxj" },
	},
	{
		"mirror", func(o *Options) bool { return o.Mirror != "" }, openMirror,
		presentMirror, func(o *Options) string { return o.Mirror },
	},
	{
		"graph", func(o *Options) bool { return o.Graph != "" }, openGraph,
		presentGraph, func(o *Options) string { return o.Graph },
	},
	{"links", func(o *Options) bool { return o.CheckLinks }, openLinkCheck, nil, nil},
}

// outputs are those of one run.
type outputs struct {
	names []string
	all   []output
	anew  []string // of names: those that have no file of an earlier run

	wantTargets bool // some look at closing.targets
}

// openOutputs opens what o asks for. resume is what marks returned for the last page that counts; nil starts anew.
func openOutputs(o *Options, resume []byte) (*outputs, error) {
	old := map[string][]mark{}
	if resume != nil {
		if err := json.Unmarshal(resume, &old); err != nil {
			return nil, damaged(err)
		}
	}
	outs := &outputs{wantTargets: o.Graph != "" || o.CheckLinks}
	for _, kind := range outputKinds {
		if !kind.asked(o) {
			continue
		}
		out, err := kind.open(o, old[kind.name])
		if err != nil {
			_ = outs.close(false) // the error that stopped it says more
			return nil, err
		}
		outs.names, outs.all = append(outs.names, kind.name), append(outs.all, out)
		if !slices.ContainsFunc(out.marks(), func(m mark) bool { _, was := markOf(old[kind.name], m.Path); return was }) {
			outs.anew = append(outs.anew, kind.name)
		}
	}
	return outs, nil
}

// render makes what all outputs keep of p.
func (o *outputs) render(p *closing) ([]func() error, error) {
	var writes []func() error
	for _, out := range o.all {
		write, err := out.render(p)
		if err != nil {
			return nil, err
		}
		if write != nil {
			writes = append(writes, write)
		}
	}
	return writes, nil
}

// marks returns how long all files are now, as openOutputs takes it.
func (o *outputs) marks() ([]byte, error) {
	all := make(map[string][]mark, len(o.all))
	for i, out := range o.all {
		all[o.names[i]] = out.marks()
	}
	return json.Marshal(all)
}

// sync brings all files to the device.
func (o *outputs) sync() error {
	for _, out := range o.all {
		if err := out.sync(); err != nil {
			return err
		}
	}
	return nil
}

// close ends all outputs and returns the first error.
func (o *outputs) close(finished bool) error {
	var first error
	for _, out := range o.all {
		if err := out.close(finished); err != nil && first == nil {
			first = err
		}
	}
	return first
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

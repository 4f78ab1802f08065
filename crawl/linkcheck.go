package crawl

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
)

// BrokenLink is a target that is not there: its answer is 404, 410 or 5xx, or there is none.
type BrokenLink struct {
	URL       string   `json:"url"`
	Status    int      `json:"status"` // 0 without an answer; of where redirects ended
	Error     string   `json:"error"`
	Text      string   `json:"text"`      // of the first link that has one, by its page's URL
	Referrers []string `json:"referrers"` // the pages that link there, sorted
}

// linkCheck is an output: links and what their targets answer, in a file until the end, when both are known. What it
// holds in memory then grows with the number of URLs, not of links. Whether a fragment is there is not checked.
type linkCheck struct {
	file      *outputFile
	temporary bool
	broken    []BrokenLink
}

// spoolLine is one line of that file: a link, or an answer.
type spoolLine struct {
	From  string   `json:"from,omitempty"`  // a page
	Links []string `json:"links,omitempty"` // its targets, each followed by its text

	URL      string `json:"url,omitempty"` // what was asked for
	Status   int    `json:"status,omitempty"`
	Error    string `json:"error,omitempty"` // why it failed
	Location string `json:"location,omitempty"`
}

// openLinkCheck opens the file of --check-links.
func openLinkCheck(o *Options, resume []mark) (output, error) {
	c := &linkCheck{temporary: o.LinkSpool == ""}
	var err error
	if !c.temporary {
		c.file, err = openOutputFile(o.LinkSpool, resume)
	} else {
		var f *os.File
		if f, err = openScratch("pace-links-"); err == nil {
			c.file = &outputFile{File: f, path: f.Name()}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot note the links: %w", err)
	}
	return c, nil
}

func (c *linkCheck) render(p *closing) (func() error, error) {
	if !p.item.isPage() || p.passing {
		return nil, nil
	}
	answer := spoolLine{URL: p.item.url.String()}
	if limit := (*bodyError)(nil); p.failure != nil && !errors.As(p.failure, &limit) { // what is too large is there
		answer.Error = p.failure.Error()
	}
	if p.response != nil {
		answer.Status = p.response.status
	}
	if p.to != (URL{}) {
		answer.Location = p.to.String()
	}
	lines := []spoolLine{answer}
	if p.page != nil {
		page := spoolLine{From: answer.URL}
		for i, to := range p.targets {
			if to != (URL{}) {
				page.Links = append(page.Links, to.String(), p.page.Links[i].Text)
			}
		}
		lines = append(lines, page)
	}
	var text []byte
	for _, line := range lines {
		b, err := json.Marshal(line)
		if err != nil {
			return nil, err
		}
		text = append(append(text, b...), '\n')
	}
	return func() error { return c.file.add(text) }, nil
}

func (c *linkCheck) marks() []mark {
	if c.temporary {
		return nil // a resume has another one
	}
	return []mark{c.file.mark()}
}

func (c *linkCheck) sync() error { return c.file.Sync() }

// close finds the broken links, also of a crawl that was cut short.
func (c *linkCheck) close(bool) error {
	err := c.find()
	closeFile := (*os.File).Close
	if c.temporary {
		closeFile = closeScratch
	}
	if closeErr := closeFile(c.file.File); err == nil {
		err = closeErr
	}
	return err
}

// linkAnswer is what a URL answered.
type linkAnswer struct {
	status   int
	err      string
	location string
}

// find goes through the file twice: for the answers, and for the links to what is broken.
func (c *linkCheck) find() error {
	answers := map[string]linkAnswer{}
	err := c.each(func(l spoolLine) {
		if l.URL != "" {
			answers[l.URL] = linkAnswer{l.Status, l.Error, l.Location}
		}
	})
	if err != nil {
		return err
	}
	found := map[string]*brokenTarget{}
	err = c.each(func(l spoolLine) {
		for i := 0; i+1 < len(l.Links); i += 2 {
			url := l.Links[i]
			target, known := found[url]
			if !known {
				if target = brokenAnswer(answers, url); target == nil {
					continue
				}
				found[url] = target
			}
			target.link(l.From, l.Links[i+1])
		}
	})
	if err != nil {
		return err
	}
	for _, target := range found {
		c.broken = append(c.broken, target.report())
	}
	slices.SortFunc(c.broken, func(a, b BrokenLink) int { return strings.Compare(a.URL, b.URL) })
	return nil
}

// each calls f for each line of the file.
func (c *linkCheck) each(f func(spoolLine)) error {
	lines := json.NewDecoder(bufio.NewReader(io.NewSectionReader(c.file, 0, c.file.size)))
	for {
		var l spoolLine
		switch err := lines.Decode(&l); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("cannot read the links again: %w", err)
		}
		f(l)
	}
}

// brokenAnswer follows the redirects from a URL, and returns nil unless they lead to what is not there.
func brokenAnswer(answers map[string]linkAnswer, url string) *brokenTarget {
	at := url
	for range maxRedirects + 1 {
		a, asked := answers[at]
		switch {
		case !asked:
			return nil
		case gone(a.status) || a.status >= 500 || a.err != "" && a.status != http.StatusTooManyRequests:
			b := &brokenTarget{BrokenLink: BrokenLink{URL: url, Status: a.status, Error: a.err}}
			if b.Error == "" {
				b.Error = statusError(a.status).Error()
			}
			return b
		case a.location == "":
			return nil
		}
		at = a.location
	}
	return &brokenTarget{BrokenLink: BrokenLink{URL: url, Status: answers[at].status, Error: errRedirects.Error()}}
}

// brokenTarget gathers the links to what is not there.
type brokenTarget struct {
	BrokenLink
	pages map[string]string // the texts of the first links with one, by page
}

func (b *brokenTarget) link(from, text string) {
	if b.pages == nil {
		b.pages = map[string]string{}
	}
	if b.pages[from] == "" {
		b.pages[from] = text
	}
}

func (b *brokenTarget) report() BrokenLink {
	link := b.BrokenLink
	for page := range b.pages {
		link.Referrers = append(link.Referrers, page)
	}
	slices.Sort(link.Referrers)
	for _, page := range link.Referrers {
		if link.Text == "" {
			link.Text = b.pages[page]
		}
	}
	return link
}

// brokenLinks returns what the outputs of a run that has ended found.
func brokenLinks(outputs []output) []BrokenLink {
	for _, out := range outputs {
		if c, ok := out.(*linkCheck); ok {
			return c.broken
		}
	}
	return nil
}

package crawl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/PuerkitoBio/goquery"
)

// page closes an item with its record: scanned, written, its links queued, done, in this order.
func (c *crawler) page(ctx context.Context, it *item, r *response) error {
	if it.check {
		return c.checked(it, r, c.failureOf(r))
	}
	p := &closing{item: it, record: c.record(it, r), response: r}
	var children []*item
	switch {
	case r.err != nil:
	case r.isHTML():
		s := scanners.Get().(*scanner)
		defer scanners.Put(s) // its links are in use until all outputs have them
		children = c.scanPage(s, p)
	case c.o.Requisites && r.isCSS():
		children = c.scanStyle(p)
	}
	return c.conclude(p, c.failureOf(r), func() {
		for _, child := range children {
			if ctx.Err() != nil {
				break // a page may have a million links, and a robots.txt as many rules
			}
			c.admit(child)
		}
	})
}

// record returns the record of an item with what a response says.
func (c *crawler) record(it *item, r *response) *record {
	return &record{
		URL: it.first, FinalURL: it.url.String(), Status: r.status, Depth: it.depth, Referrer: it.referrer,
		ContentType: r.contentType, Bytes: int64(len(r.body)), SHA256: r.hash,
		FetchedAt: r.at, Timing: r.timing,
	}
}

// conclude closes an item for good, as failed if why says so: counted, its record written, in all outputs, then queue
// (if not nil) called for what follows from it, and done.
func (c *crawler) conclude(p *closing, why error, queue func()) error {
	p.failure = why
	if err := c.count(p); err != nil {
		return err
	}
	return c.ledger.close(p, func() {
		if queue != nil {
			queue()
		}
		c.frontier.done(p.item)
	})
}

// count counts an item and writes its record, if it has one.
func (c *crawler) count(p *closing) error {
	it, why := p.item, p.failure
	if why != nil && it.seed && (p.response == nil || p.response.status == 0) {
		c.setStartError(it, why)
	}
	switch {
	case why != nil && p.record != nil:
		return c.fail(p.record, why)
	case why != nil:
		c.counter.ItemFailed(it.first, why)
		c.log.Error("failed", "item", it.first, "error", why)
		return nil
	}
	c.counter.ItemDone()
	if p.record == nil {
		return nil
	}
	return c.output.write(p.record)
}

// fail counts an item as failed and writes its record.
func (c *crawler) fail(rec *record, why error) error {
	rec.Error = why.Error()
	c.counter.ItemFailed(rec.URL, why)
	c.log.Error("failed", "item", rec.URL, "error", why)
	return c.output.write(rec)
}

// setStartError keeps why an item got no answer at all, in case it is the only one.
func (c *crawler) setStartError(it *item, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.startErr = fmt.Errorf("%s: %w", it.first, why)
}

// isHTML says whether links can be found in a body.
func (r *response) isHTML() bool {
	contentType := r.contentType
	if contentType == "" {
		contentType = http.DetectContentType(r.body)
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false
	}
	return media == "text/html" || media == "application/xhtml+xml"
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// scanPage fills a closing and its record with what its page holds, and returns what is to be asked for next.
func (c *crawler) scanPage(s *scanner, p *closing) []*item {
	r, rec := p.response, p.record
	text, charset := toUTF8(r.body, r.contentType)
	page := s.scan(text, scanOptions{
		Charset: charset, Requisites: c.o.Requisites, Styles: c.o.Requisites, Texts: c.o.CheckLinks || c.o.Graph != "",
	})
	p.page = &page
	rec.Title = page.Title
	base := page.base(p.item.url)
	noFollow := page.NoFollow || robotsTagNoFollow(r.header, c.token)
	var children []*item
	followed := make(map[string]bool, len(page.Links)) // false: listed only
	rec.Links = make([]string, 0, len(page.Links))
	for _, link := range page.Links {
		u, err := base.Resolve(link.URL)
		if len(c.ledger.outputs) > 0 {
			p.targets = append(p.targets, u) // zero after an error
		}
		if err != nil {
			continue
		}
		done, listed := followed[u.String()]
		if !listed {
			rec.Links = append(rec.Links, u.String())
		}
		if !done {
			if child := c.childOf(p.item, u, link.Kind, noFollow || link.NoFollow); child != nil {
				children = append(children, child)
				done = true
			}
		}
		followed[u.String()] = done
	}
	if len(c.o.Select) > 0 {
		rec.Selected = c.selected(text)
	}
	return children
}

// base returns what a page's links are resolved against.
func (p *Page) base(u URL) URL {
	if p.HasBase {
		if base, err := u.Resolve(p.Base); err == nil {
			return base
		}
	}
	return u
}

// selected returns what the user's selectors find in a page.
func (c *crawler) selected(text []byte) map[string][]string {
	found := map[string][]string{}
	// The parser's only errors are those of its reader.
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(text))
	if err != nil {
		return found
	}
	for _, s := range c.o.Select {
		found[s.Name] = s.apply(doc)
	}
	return found
}

// robotsTagNoFollow says whether an X-Robots-Tag header forbids to follow links; a value may be for one agent only, as
// in "pace: nofollow".
func robotsTagNoFollow(h http.Header, token string) bool {
	for _, value := range h.Values("X-Robots-Tag") {
		if agent, rest, ok := strings.Cut(value, ":"); ok && !strings.Contains(agent, ",") &&
			!strings.EqualFold(strings.TrimSpace(agent), "unavailable_after") {
			if !strings.EqualFold(strings.TrimSpace(agent), token) {
				continue
			}
			value = rest
		}
		for rule := range strings.SplitSeq(value, ",") {
			rule = strings.TrimSpace(rule)
			if strings.EqualFold(rule, "nofollow") || strings.EqualFold(rule, "none") {
				return true
			}
		}
	}
	return false
}

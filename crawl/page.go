package crawl

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"sync"
)

// page closes an item with its record: scanned, written, its links queued, done, in this order.
func (c *crawler) page(ctx context.Context, it *item, r *response) error {
	if it.check {
		return c.checked(it, r)
	}
	p := &closing{item: it, record: c.record(it, r), response: r}
	c.takeUnchanged(p)
	ch := change{item: it, bytes: r.moved}
	var children []item
	var err error
	switch {
	case r.err != nil, p.unchanged != nil:
	case r.isHTML():
		reader := pageReaders.Get().(*pageReader)
		defer reader.giveBack() // its links are in use until all outputs have them
		children, err = c.scanPage(reader, p)
	case c.o.Requisites && r.isCSS():
		children, err = c.scanStyle(p)
	case c.isSitemap(it, r):
		if err = r.takeRoom(sitemapRoom(r.body)); err == nil {
			ch.found = c.seedSitemap(ctx, it, r)
		}
	}
	if err != nil {
		return err
	}
	ch.found = append(ch.found, c.discovered(ctx, children)...)
	if ctx.Err() != nil && (c.state != nil || c.o.Fleet != nil) {
		return context.Cause(ctx) // the page stays in flight: the next run fetches it again
	}
	return c.finish(p, ch)
}

// discovered returns the pages that links lead to.
func (c *crawler) discovered(ctx context.Context, children []item) []foundPage {
	pages := make([]foundPage, 0, len(children))
	rules := c.rules()
	for i := range children {
		if ctx.Err() != nil {
			break // a page may have a million links, and a robots.txt as many rules
		}
		pages = append(pages, rules.found(&children[i]))
	}
	return pages
}

// record returns the record of an item with what a response says.
func (c *crawler) record(it *item, r *response) *record {
	return &record{
		URL: it.first, FinalURL: it.url.String(), Status: r.status, Depth: it.depth, Referrer: it.referrer,
		ContentType: r.contentType, Bytes: int64(len(r.body)), SHA256: r.hash,
		FetchedAt: r.at, Timing: r.timing, LastMod: it.lastMod,
	}
}

// finish closes an item with what its response says.
func (c *crawler) finish(p *closing, ch change) error {
	why := c.failureOf(p.response)
	if why != nil && p.item.seed && p.response.status == 0 {
		c.setStartError(p.item, why)
	}
	// Of a 304 the record has the hash of the page that it stands for.
	if rec := p.record; rec != nil && why == nil && rec.SHA256 != "" && (rec.Status/100 == 2 || p.unchanged != nil) {
		var err error
		if rec.DuplicateOf, ch.body, err = c.bodies.duplicateOf(rec.SHA256, rec.URL); err != nil {
			return err
		}
	}
	if err := c.end(p, ch, why); err != nil {
		return err
	}
	c.bodies.kept(ch.body)
	return nil
}

// end closes an item as failed, if why is not nil, or else as done.
func (c *crawler) end(p *closing, ch change, why error) error {
	p.failure = why
	ch.visit = c.visited(p)
	if why != nil && p.record != nil {
		p.record.Error = why.Error()
	}
	e := &entry{closing: p, change: ch}
	if err := c.ledger.close(e); err != nil || e.lost {
		return err
	}
	c.count(p)
	return nil
}

// count counts an item that is closed. What is only checked is no page.
func (c *crawler) count(p *closing) {
	check := p.item.check
	if check {
		c.linksChecked.Add(1)
	}
	switch {
	case p.failure == nil && check:
		return
	case p.failure == nil:
		c.counter.ItemDone()
		return
	case check:
		c.linksFailed.Add(1)
		c.counter.Failed(p.item.first, p.failure)
	default:
		c.counter.ItemFailed(p.item.first, p.failure)
	}
	c.log.Error("failed", "item", p.item.first, "error", p.failure)
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

// maxKeptLinks is how many links a page may have for its memory to serve the next one.
const maxKeptLinks = 1000

// pageReader is what reading a page needs, kept for the next one.
type pageReader struct {
	scanner  scanner
	links    pageLinks
	children []item // what the page's links lead to
}

var pageReaders = sync.Pool{New: func() any { return new(pageReader) }}

// giveBack gives a reader to the next page, unless a huge one has made it large.
func (r *pageReader) giveBack() {
	if cap(r.scanner.text) <= maxPooled && cap(r.children) <= maxKeptLinks {
		clear(r.children)
		pageReaders.Put(r)
	}
}

// scanPage fills a closing and its record with what its page holds, and returns what is to be asked for next. The error
// is why the page may take no more memory.
func (c *crawler) scanPage(reader *pageReader, p *closing) ([]item, error) {
	r, rec := p.response, p.record
	text, charset, err := r.text()
	if err == nil {
		err = r.takeRoom(scanRoom(text))
	}
	if err != nil {
		return nil, err
	}
	page := reader.scanner.scan(text, scanOptions{
		Charset: charset, Requisites: c.o.Requisites, Styles: c.o.Requisites, Texts: c.o.CheckLinks || c.o.Graph != "",
	})
	p.page = &page
	rec.Title = page.Title
	base := page.base(p.item.url)
	if err := r.takeRoom(c.linksRoom(&page, base)); err != nil {
		return nil, err
	}
	noFollow := !c.o.IgnoreNoFollow && (page.NoFollow || robotsTagNoFollow(r.header, c.token))
	children := reader.children[:0]
	rules := c.rules()
	rec.Links = make([]string, 0, len(page.Links))
	reader.links.reset(page.Links)
	for links, text := reader.links.next(c, base); len(links) > 0; links, text = reader.links.next(c, base) {
		for i := range reader.links.batch {
			l := &reader.links.batch[i]
			if c.outputs.wantTargets {
				p.targets = append(p.targets, l.own(text)) // zero after an error
			}
			if l.isNew {
				rec.Links = append(rec.Links, text[l.start:l.end])
			}
			skip := noFollow || !c.o.IgnoreNoFollow && links[i].NoFollow
			children = rules.appendLink(children, p.item, l, text, links[i].Kind, skip)
		}
	}
	if left := len(reader.links.links); left > 0 {
		page.Links, page.Cut = page.Links[:len(page.Links)-left], true
	}
	if page.Cut {
		c.log.Warn(fmt.Sprintf("the page has more than %d links, or %d MiB of them: the others are left out",
			maxLinks, maxPageText>>20), "item", p.item.url.String())
	}
	if len(c.o.Select) > 0 {
		if rec.Selected, err = c.selected(r, p.item, text); err != nil {
			return nil, err
		}
	}
	reader.children = children
	return children, nil
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

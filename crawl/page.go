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
	p := &closing{item: it, record: c.record(it, r), response: r}
	ch := change{item: it}
	if r.err == nil && r.isHTML() {
		s := scanners.Get().(*scanner)
		defer scanners.Put(s) // the page is the scanner's
		var links []URL
		p.page, links = c.scanPage(it, r, p.record, s)
		ch.found = c.discovered(ctx, it, links)
		if len(ch.found) < len(links) && c.state != nil {
			return context.Cause(ctx) // the page stays in flight: the next run fetches it again
		}
	}
	return c.finish(p, ch)
}

// discovered returns the pages that an item's links lead to.
func (c *crawler) discovered(ctx context.Context, it *item, links []URL) []foundPage {
	pages := make([]foundPage, 0, len(links))
	for _, u := range links {
		if ctx.Err() != nil {
			break // a page may have a million links, and a robots.txt as many rules
		}
		page := &item{url: u, first: u.String(), referrer: it.url.String(), depth: it.depth + 1}
		pages = append(pages, c.found(page))
	}
	return pages
}

// record returns the record of an item with what a response says.
func (c *crawler) record(it *item, r *response) *record {
	return &record{
		URL: it.first, FinalURL: it.url.String(), Status: r.status, Depth: it.depth, Referrer: it.referrer,
		ContentType: r.contentType, Bytes: int64(len(r.body)), SHA256: r.hash,
		FetchedAt: r.at, Timing: r.timing,
	}
}

// finish closes an item with its record, and counts it.
func (c *crawler) finish(p *closing, ch change) error {
	why := p.response.failure()
	if why != nil && p.item.seed && p.response.status == 0 {
		c.setStartError(p.item, why)
	}
	return c.end(p, ch, why)
}

// end closes an item as failed, if why is not nil, or else as done.
func (c *crawler) end(p *closing, ch change, why error) error {
	if why != nil {
		p.record.Error = why.Error()
	}
	if err := c.ledger.close(&entry{closing: p, change: ch}); err != nil {
		return err
	}
	c.count(p.record, why)
	return nil
}

// count counts an item that is closed.
func (c *crawler) count(rec *record, why error) {
	if why == nil {
		c.counter.ItemDone()
		return
	}
	c.counter.ItemFailed(rec.URL, why)
	c.log.Error("failed", "item", rec.URL, "error", why)
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

// scanPage fills a record with what its page holds, and returns that and the links to follow.
func (c *crawler) scanPage(it *item, r *response, rec *record, s *scanner) (*Page, []URL) {
	text, charset := toUTF8(r.body, r.contentType)
	page := s.scan(text, scanOptions{Charset: charset})
	rec.Title = page.Title
	base := it.url
	if page.HasBase {
		if u, err := base.Resolve(page.Base); err == nil {
			base = u
		}
	}
	noFollow := page.NoFollow || robotsTagNoFollow(r.header, c.token)
	deeper := it.depth < c.o.Depth
	var follow []URL
	followed := make(map[string]bool, len(page.Links)) // false: listed only
	rec.Links = make([]string, 0, len(page.Links))
	for _, link := range page.Links {
		u, err := base.Resolve(link.URL)
		if err != nil {
			continue
		}
		done, listed := followed[u.String()]
		if !listed {
			rec.Links = append(rec.Links, u.String())
		}
		if !done && deeper && !noFollow && !link.NoFollow && c.follows(u) {
			follow = append(follow, u)
			done = true
		}
		followed[u.String()] = done
	}
	if len(c.o.Select) > 0 {
		rec.Selected = c.selected(text)
	}
	return &page, follow
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

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
	rec := c.record(it, r)
	var links []URL
	if r.err == nil && r.isHTML() {
		links = c.scanPage(it, r, rec)
	}
	err := c.finish(it, rec, r)
	if r.err == nil {
		c.seedSitemap(ctx, it, r)
	}
	for _, u := range links {
		if ctx.Err() != nil {
			break // a page may have a million links, and a robots.txt as many rules
		}
		c.admit(&item{url: u, first: u.String(), referrer: it.url.String(), depth: it.depth + 1})
	}
	c.frontier.done(it)
	return err
}

// record returns the record of an item with what a response says.
func (c *crawler) record(it *item, r *response) *record {
	return &record{
		URL: it.first, FinalURL: it.url.String(), Status: r.status, Depth: it.depth, Referrer: it.referrer,
		ContentType: r.contentType, Bytes: int64(len(r.body)), SHA256: r.hash,
		FetchedAt: r.at, Timing: r.timing, LastMod: it.lastMod,
	}
}

// finish counts an item and writes its record.
func (c *crawler) finish(it *item, rec *record, r *response) error {
	if err := r.failure(); err != nil {
		if it.seed && r.status == 0 {
			c.setStartError(it, err)
		}
		return c.fail(rec, err)
	}
	if r.hash != "" && rec.Bytes > 0 && r.status/100 == 2 {
		rec.DuplicateOf = c.bodies.duplicateOf(r.hash, rec.URL)
	}
	c.counter.ItemDone()
	return c.output.write(rec)
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

// scanPage fills a record with what its page holds, and returns the links to follow.
func (c *crawler) scanPage(it *item, r *response, rec *record) []URL {
	text, charset := toUTF8(r.body, r.contentType)
	s := scanners.Get().(*scanner)
	defer func() {
		if cap(s.text) <= maxPooled {
			scanners.Put(s)
		}
	}()
	page := s.scan(text, scanOptions{Charset: charset})
	rec.Title = page.Title
	base := it.url
	if page.HasBase {
		if u, err := base.Resolve(page.Base); err == nil {
			base = u
		}
	}
	if page.Cut {
		c.log.Warn(fmt.Sprintf("the page has more than %d links: the others are left out", maxLinks), "item", it.url.String())
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
		u = c.canonical(u)
		done, listed := followed[u.String()]
		if !listed {
			rec.Links = append(rec.Links, u.String())
		}
		if !done && deeper && (c.o.IgnoreNoFollow || !noFollow && !link.NoFollow) && c.follows(u) {
			follow = append(follow, u)
			done = true
		}
		followed[u.String()] = done
	}
	if len(c.o.Select) > 0 {
		rec.Selected = c.selected(it, text)
	}
	return follow
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

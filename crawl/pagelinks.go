package crawl

import "strings"

// pageLinks resolves the links of one page after the other. Nearly all lead to pages that the frontier knows: what a
// link takes is kept to its share of one string for all.
type pageLinks struct {
	links  []Link
	listed linkSet
	left   int    // bytes that all URLs may have yet
	text   []byte // of the URLs in batch
	batch  []pageLink
}

// pageLink is a link of a page, resolved.
type pageLink struct {
	url        URL // without its text, until it is asked for
	start, end int // of its text; none after an error
	slot       *linkSlot
	isNew      bool // the first of its URL on the page
	noted      bool // the frontier surely knows it
}

// A batch of links ends when their URLs have so many bytes, or it so many links: a huge page is not kept twice.
const (
	batchText  = 32 << 10
	batchLinks = 1000
)

// reset makes ready for the links of a page.
func (l *pageLinks) reset(links []Link) {
	l.links = links
	l.left = maxPageText
	l.listed.reset(len(links))
}

// next resolves the next batch. It returns the links that it was made of and the text of all its URLs. There is none when
// all links are done, or when they have more than maxPageText: then some are left in links.
func (l *pageLinks) next(c *crawler, base URL) (links []Link, text string) {
	l.text, l.batch = l.text[:0], l.batch[:0]
	n := 0
	for n < min(len(l.links), batchLinks) && len(l.text) < batchText {
		l.batch = append(l.batch, pageLink{})
		r := &l.batch[n]
		l.resolve(c, base, &l.links[n], r)
		if l.left -= r.end - r.start; l.left < 0 {
			l.batch = l.batch[:n]
			break
		}
		n++
	}
	links, l.links = l.links[:n], l.links[n:]
	c.frontier.noted(l.batch)
	return links, string(l.text)
}

// resolve fills r, which stays zero after an error.
func (l *pageLinks) resolve(c *crawler, base URL, link *Link, r *pageLink) {
	start := len(l.text)
	text, u, err := base.resolveIn(l.text[start:], link.URL)
	if err != nil {
		return
	}
	if len(c.o.StripQuery) > 0 && !link.Kind.Requisite() {
		u.text = string(text)
		u = c.canonical(u)
		text = append(text[:0], u.text...)
		u.text = ""
	}
	r.url, r.start, r.end = u, start, start+len(text)
	r.slot, r.isNew = l.listed.at(c.frontier.fingerprint(text))
	l.text = append(l.text, text...) // which may stand there already
}

// own returns the URL with a text of its own, which may outlive the others.
func (l *pageLink) own(text string) URL {
	u := l.url
	u.text = strings.Clone(text[l.start:l.end])
	return u
}

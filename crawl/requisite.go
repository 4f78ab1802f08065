package crawl

import "mime"

// maxRequisiteChain is how many requisites may need one another beyond the last depth: a style imports a style that names
// a font. The chain of a hostile server never ends.
const maxRequisiteChain = 5

// childOf returns the item for a link of a page, or nil if it is not to be asked for.
func (c *crawler) childOf(parent *item, u URL, kind LinkKind, noFollow bool) *item {
	child := &item{url: u, first: u.String(), referrer: parent.url.String(), depth: parent.depth + 1}
	switch {
	case kind.Requisite():
		if child.depth > c.o.Depth+maxRequisiteChain || !c.mayAsk(u) || anyMatches(c.o.Exclude, u.String()) {
			return nil
		}
		child.requisite = true
		return child
	case noFollow:
		return nil
	case c.leadsOn(parent) && c.follows(u):
		return child
	case c.o.CheckLinks && c.mayAsk(u) && !anyMatches(c.o.Exclude, u.String()):
		child.check = true
		return child
	}
	return nil
}

// leadsOn says whether the links of a page are followed: not those of the last depth, and not those of a document that
// only a page's need for it brought here.
func (c *crawler) leadsOn(it *item) bool {
	return it.depth < c.o.Depth && (!it.requisite || c.inScope(it.url.Host()))
}

// allows says whether an item may be redirected to a URL.
func (c *crawler) allows(it *item, to URL) bool {
	if it.requisite || it.check {
		return c.mayAsk(to) && !anyMatches(c.o.Exclude, to.String())
	}
	return c.follows(to) || it.seed && c.mayFollow(to)
}

// isCSS says whether a body is a style sheet.
func (r *response) isCSS() bool {
	media, _, _ := mime.ParseMediaType(r.contentType)
	return media == "text/css"
}

// scanStyle returns the items for what a style sheet names.
func (c *crawler) scanStyle(p *closing) []*item {
	var children []*item
	for ref := range cssURLs(p.response.body) {
		if u, err := p.item.url.Resolve(ref.url()); err == nil {
			if child := c.childOf(p.item, u, ref.kind, false); child != nil {
				children = append(children, child)
			}
		}
	}
	return children
}

package crawl

import "mime"

// maxRequisiteChain is how many requisites may need one another beyond the last depth: a style imports a style that names
// a font. The chain of a hostile server never ends.
const maxRequisiteChain = 5

// appendChild appends the item for a link of a page, or returns false if it is not to be asked for.
func (h *hostRules) appendChild(
	children []item, parent *item, u URL, kind LinkKind, noFollow bool,
) (all []item, ok bool) {
	o, depth := &h.c.o, parent.depth+1
	requisite, check := false, false
	switch {
	case kind.Requisite():
		requisite = true
		ok = depth <= o.Depth+maxRequisiteChain && h.mayAsk(u) && !anyMatches(o.Exclude, u.String())
	case noFollow:
	case h.c.leadsOn(parent) && h.follows(u):
		ok = true
	default:
		check = true
		ok = o.CheckLinks && h.mayAsk(u) && !anyMatches(o.Exclude, u.String())
	}
	if !ok {
		return children, false
	}
	return append(children, item{
		url: u, first: u.String(), referrer: parent.url.String(), depth: depth, requisite: requisite, check: check,
	}), true
}

// appendLink is appendChild for a link whose URL the page may have more than once, and which the frontier may know. Where
// the first only asked for a check and a later one is of what the page needs, the item becomes that of the later one.
func (h *hostRules) appendLink(
	children []item, parent *item, l *pageLink, text string, kind LinkKind, noFollow bool,
) []item {
	slot := l.slot
	switch {
	case slot == nil, slot.item == itemDone, slot.item > 0 && !kind.Requisite():
		return children
	case l.noted:
		slot.item = itemDone
		return children
	}
	more, ok := h.appendChild(children, parent, l.own(text), kind, noFollow)
	last := len(more) - 1
	switch {
	case !ok:
		return children
	case more[last].check:
		slot.item = int32(len(more))
		return more
	case slot.item > 0:
		more[slot.item-1] = more[last]
		more = more[:last]
	}
	slot.item = itemDone
	return more
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

// scanStyle returns the items for what a style sheet names. The bounds are those of a page's links.
func (c *crawler) scanStyle(p *closing) ([]item, error) {
	if err := p.response.takeRoom(styleRoom(p.response.body)); err != nil {
		return nil, err
	}
	var children []item
	rules := c.rules()
	left := maxPageText
	for ref := range cssURLs(p.response.body) {
		u, err := p.item.url.Resolve(ref.url())
		if err != nil {
			continue
		}
		children, _ = rules.appendChild(children, p.item, u, ref.kind, false)
		if left -= len(u.text); left < 0 || len(children) >= maxLinks {
			break
		}
	}
	return children, nil
}

package crawl

import "bytes"

// place is where a link stands in a document.
type place struct {
	attribute span // of the document: the raw value of its attribute, without quotes, or the text of a style element
	value     span // of what that stands for: the link itself
	style     bool // the value is CSS, and the link in it a whole token: url("…") or a string
	bare      bool // the token is a string
	text      bool // it is no attribute, but the text of an element
}

// place returns the place of a part of the value that was decoded last.
func (s *scanner) place(value []byte) place {
	// Both are slices of what the other is a part of, and a slice reaches to the end of its array.
	start := cap(s.b) - cap(s.raw)
	offset := cap(s.decoded) - cap(value)
	return place{
		attribute: span{start, start + len(s.raw)}, value: span{offset, offset + len(value)},
	}
}

// style adds what a style names. s.raw and s.decoded are the style's; text says that it is an element's.
func (s *scanner) style(css []byte, text bool) {
	for ref := range cssURLs(css) {
		url := []byte(ref.url())
		if len(trimSpace(url)) == 0 {
			continue
		}
		s.links = append(s.links, s.kept(append(s.text, trimSpace(url)...)))
		s.page.Links = append(s.page.Links, Link{Kind: ref.kind})
		if s.options.Places {
			p := s.place(css)
			p.value, p.style, p.bare, p.text = span{ref.start, ref.end}, true, ref.bare, text
			s.places = append(s.places, p)
		}
	}
}

// otherAttributes reads once more the attributes of a tag, which started at a position and are read: a style may stand in
// any tag. So may, where places are asked for, what guards a file against changes.
func (s *scanner) otherAttributes(start int) {
	tag := s.b[start:s.p]
	if !s.options.Places && !bytes.Contains(tag, []byte("(")) && !bytes.Contains(tag, []byte("&")) {
		return // no url(…), as it is or by references
	}
	end := s.p
	s.p = start
	var style []byte
	for name, value, ok := s.attribute(); ok; name, value, ok = s.attribute() {
		switch {
		case style == nil && is(name, "style"):
			style = value
		case s.options.Places && (is(name, "integrity") || is(name, "crossorigin")):
			at := cap(s.b) - cap(name)
			s.guards = append(s.guards, span{at, at + len(name)})
		}
	}
	s.p = end
	if s.options.Styles && len(style) > 0 {
		s.style(s.decode(style), false)
	}
}

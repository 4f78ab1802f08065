package crawl

import "bytes"

const (
	maxLinkText   = 256     // bytes that are kept
	maxLinkSource = 4 << 10 // bytes that are looked through for them
)

// hyperlinkWithText reads an a or area element, and its text if that is asked for: what stands in an a element up to its
// end or the next link, images by their alt attribute, or the alt attribute of an area element.
func (s *scanner) hyperlinkWithText(kind LinkKind) {
	start, links := s.p, len(s.links)
	s.hyperlink(kind)
	if !s.options.Texts || len(s.links) == links {
		return
	}
	l := lexer{b: s.b[:min(len(s.b), s.p+maxLinkSource)], p: s.p}
	var raw []byte
	if kind == KindArea {
		l.p = start
		raw = altOf(&l)
	} else {
		raw = textOf(&l)
	}
	for len(s.texts) < links {
		s.texts = append(s.texts, span{}) // of links of other kinds
	}
	s.texts = append(s.texts, s.kept(appendText(s.text, raw, maxLinkText)))
}

// textOf returns the text up to the end of an a element.
func textOf(l *lexer) (text []byte) {
	for l.p < len(l.b) {
		i := bytes.IndexByte(l.b[l.p:], '<')
		if i < 0 {
			return append(text, l.b[l.p:]...)
		}
		text = append(text, l.b[l.p:l.p+i]...)
		if l.p += i + 1; l.p >= len(l.b) {
			return text
		}
		switch c := l.b[l.p]; {
		case c == '!':
			l.skipDeclaration()
		case c == '/':
			l.p++
			if name := l.tagName(); elementOf(name) == elA {
				return text
			}
			l.skipAttributes()
		case lexical[c]&isLetter != 0:
			switch elementOf(l.tagName()) {
			case elA:
				return text
			case elImg:
				text = append(append(append(text, ' '), altOf(l)...), ' ')
			case elScript, elStyle, elTemplate:
				return text // what follows is no text, or hard to tell from it
			default:
				l.skipAttributes()
			}
		default:
			text = append(text, '<')
		}
	}
	return text
}

// altOf reads the attributes of a tag and returns its alt.
func altOf(l *lexer) (alt []byte) {
	for name, value, ok := l.attribute(); ok; name, value, ok = l.attribute() {
		if alt == nil && is(name, "alt") {
			alt = value
		}
	}
	return alt
}

package crawl

import "golang.org/x/text/encoding"

// LinkKind is the kind of element that a link stands in, or what the element says of it.
type LinkKind uint8

const (
	KindAnchor    LinkKind = iota // a
	KindArea                      // area
	KindCanonical                 // link rel=canonical
	KindNext                      // link rel=next
	KindPrev                      // link rel=prev
	KindFrame                     // iframe, frame
	KindRefresh                   // meta http-equiv=refresh

	// What a page needs to be shown, which is no link to follow.

	KindImage  // img, input type=image, a video's poster, any srcset, link rel=icon
	KindStyle  // link rel=stylesheet
	KindScript // script
	KindMedia  // video, audio, source, track, embed, object
	KindAsset  // what a style names but for styles: fonts, images
)

// Requisite says whether the kind is one that a page needs to be shown, and not one to follow.
func (k LinkKind) Requisite() bool { return k >= KindImage }

// Link is one link of a page.
type Link struct {
	// URL is the attribute's value, to be resolved against the page's base: character references are decoded and white
	// space at both ends is gone. In a page of a legacy charset the query is percent-encoded in that charset, as
	// browsers send it.
	URL      string
	Kind     LinkKind
	NoFollow bool // the element has rel=nofollow
	// Text is what a reader sees of an a or area element, if it was asked for: white space collapsed, at most 256 bytes.
	Text string
}

// Page is what a scan finds in a document. Its Links are valid until the scanner's next scan.
type Page struct {
	Title    string // the text of the first title element, white space collapsed, at most 4 KiB
	Base     string // the href of the first base element that has one, to be resolved against the page's own URL
	HasBase  bool   // there is such an element; its href may be empty
	NoFollow bool   // a meta element tells robots not to follow this page's links
	Links    []Link // in document order
	Cut      bool   // there are more links than maxLinks, or more text than maxPageText; the others are left out
}

// maxLinks is the most links of one page. Real pages stay far below it; one of 16 MiB could have two million.
const maxLinks = 100_000

// maxPageText is the most bytes that the links of one page have together, as they are written and, again, as whole URLs:
// a base of 8 KiB would make gigabytes of short ones.
const maxPageText = 8 << 20

// scanOptions says what to look for.
type scanOptions struct {
	// Charset is the name of the encoding that the document had, as toUTF8 returns it. Empty means utf-8.
	Charset string
	// Requisites looks for images, styles, scripts and media too.
	Requisites bool
	// Styles looks into style elements and style attributes.
	Styles bool
	// Texts reads the texts of links.
	Texts bool
	// Places notes where the links stand.
	Places bool
}

// scanner finds the links of HTML documents in one pass over their bytes. It builds no tree: what counts is what the
// standard's tokenizer sees (HTML Standard, section 13.2.5, without scripting) outside of template elements, and that
// decides too where a tree builder would drop an element, as in select or svg. A scanner keeps its buffers for the next
// document. It serves one goroutine at a time.
type scanner struct {
	lexer
	options   scanOptions
	page      Page
	templates int // how many template elements are open

	// All texts of a page are gathered in one buffer and become one string at the end: one allocation a page.
	text     []byte
	title    span   // of text
	hasTitle bool   // a title element was seen
	base     span   // of text
	links    []span // of text, for each of page.Links
	texts    []span // of text too; only if texts are asked for
	raw      []byte // the value that was decoded last, in b
	decoded  []byte // what it stands for
	places   []place
	baseAt   place
	guards   []span // the names of attributes that keep a browser from loading a file that was changed
	scratch  []byte // a decoded attribute value

	encoding encoding.Encoding // of queries; nil for UTF-8
}

// span is a range of bytes.
type span struct{ start, end int }

// scan returns what it finds in a document in UTF-8. The links are valid until the next call.
func (s *scanner) scan(body []byte, o scanOptions) Page {
	*s = scanner{
		lexer: lexer{b: body}, options: o, encoding: queryEncoding(o.Charset),
		page: Page{Links: s.page.Links[:0]}, text: s.text[:0], links: s.links[:0], scratch: s.scratch,
		texts: s.texts[:0], places: s.places[:0], guards: s.guards[:0],
	}
	for s.toTag() {
		if !s.end {
			s.startTag()
			continue
		}
		name := s.tagName()
		if s.skipAttributes(); s.templates > 0 && !s.eof && elementOf(name) == elTemplate {
			s.templates--
		}
	}
	text := string(s.text)
	s.page.Title = text[s.title.start:s.title.end]
	s.page.Base = text[s.base.start:s.base.end]
	for i, at := range s.links {
		s.page.Links[i].URL = text[at.start:at.end]
	}
	for i, at := range s.texts {
		s.page.Links[i].Text = text[at.start:at.end]
	}
	s.b = nil // the body is the caller's
	return s.page
}

// startTag reads the start tag whose name is next, and the text that follows it if that is no markup.
func (s *scanner) startTag() {
	e := elementOf(s.tagName())
	if s.templates > 0 {
		s.skipAttributes()
	} else {
		start := s.p
		s.element(e)
		if (s.options.Styles || s.options.Places) && !s.eof {
			s.otherAttributes(start)
		}
	}
	if s.eof {
		return
	}
	switch e {
	case elTemplate:
		s.templates++
	case elScript:
		s.skipScript()
	case elTitle:
		raw := s.rawText("</title")
		if s.templates == 0 && !s.hasTitle {
			s.hasTitle = true
			s.title = s.kept(appendTitle(s.text, raw))
		}
	case elPlaintext:
		s.p = len(s.b)
	case elStyle:
		raw := s.rawText("</style")
		if s.options.Styles && s.templates == 0 {
			s.raw, s.decoded = raw, raw
			s.style(raw, true)
		}
	default:
		if end := rawEnds[e]; end != "" {
			s.rawText(end)
		}
	}
}

// element reads the attributes of a start tag and takes its links. A tag that the document ends in is none.
func (s *scanner) element(e element) {
	switch e {
	case elA:
		s.hyperlinkWithText(KindAnchor)
	case elArea:
		s.hyperlinkWithText(KindArea)
	case elBase:
		s.baseElement()
	case elLink:
		s.linkElement()
	case elMeta:
		s.metaElement()
	case elIframe, elFrame:
		s.frameElement()
	default:
		if s.options.Requisites {
			s.requisites(e)
		} else {
			s.skipAttributes()
		}
	}
}

// hrefAndRel reads the attributes of a tag and returns the first of either name; nil for one that is not there.
func (s *scanner) hrefAndRel() (href, rel []byte) {
	for name, value, ok := s.attribute(); ok; name, value, ok = s.attribute() {
		switch {
		case href == nil && is(name, "href"):
			href = value
		case rel == nil && is(name, "rel"):
			rel = value
		}
	}
	return href, rel
}

// hyperlink reads an a or area element.
func (s *scanner) hyperlink(kind LinkKind) {
	href, rel := s.hrefAndRel()
	if href != nil && !s.eof {
		noFollow := len(rel) > 0 && hasWord(s.decode(rel), "nofollow")
		s.add(kind, s.decode(href), noFollow)
	}
}

// baseElement reads a base element. Only the first one with an href counts.
func (s *scanner) baseElement() {
	var href []byte
	for name, value, ok := s.attribute(); ok; name, value, ok = s.attribute() {
		if href == nil && is(name, "href") {
			href = value
		}
	}
	if href != nil && !s.eof && !s.page.HasBase {
		s.page.HasBase = true
		href = trimSpace(s.decode(href))
		s.baseAt = s.place(href)
		s.base = s.kept(append(s.text, href...))
	}
}

// linkElement reads a link element, whose rel says in a list of words what kinds it is of.
func (s *scanner) linkElement() {
	href, rel := s.hrefAndRel()
	if href == nil || rel == nil || s.eof {
		return
	}
	kinds := linkKinds(s.decode(rel))
	href = s.decode(href)
	for kind := range KindMedia {
		switch {
		case kinds&(1<<kind) == 0:
		case !kind.Requisite():
			s.add(kind, href, false)
		case s.options.Requisites:
			s.addSource(kind, href)
		}
	}
}

// metaElement reads a meta element: a refresh, or a word to robots.
func (s *scanner) metaElement() {
	var equiv, name, content []byte
	for key, value, ok := s.attribute(); ok; key, value, ok = s.attribute() {
		switch {
		case equiv == nil && is(key, "http-equiv"):
			equiv = value
		case name == nil && is(key, "name"):
			name = value
		case content == nil && is(key, "content"):
			content = value
		}
	}
	if len(content) == 0 || s.eof {
		return
	}
	if is(s.decode(equiv), "refresh") {
		s.addSource(KindRefresh, refreshURL(s.decode(content)))
	}
	if is(s.decode(name), "robots") && forbidsFollowing(s.decode(content)) {
		s.page.NoFollow = true
	}
}

// frameElement reads an iframe or frame element.
func (s *scanner) frameElement() {
	var src []byte
	for name, value, ok := s.attribute(); ok; name, value, ok = s.attribute() {
		if src == nil && is(name, "src") {
			src = value
		}
	}
	if !s.eof {
		s.addSource(KindFrame, s.decode(src))
	}
}

// addSource adds the link of something that is fetched unasked. Nothing is for an empty one.
func (s *scanner) addSource(kind LinkKind, value []byte) {
	if len(trimSpace(value)) > 0 {
		s.add(kind, value, false)
	}
}

// add adds a link.
func (s *scanner) add(kind LinkKind, value []byte, noFollow bool) {
	if len(s.page.Links) >= maxLinks || len(s.text) >= maxPageText {
		s.page.Cut = true
		return
	}
	if value = trimSpace(value); len(value) > maxReference {
		return // it is no URL that could be resolved
	}
	text := s.text
	if s.encoding == nil {
		text = append(text, value...)
	} else {
		text = appendURLIn(text, value, s.encoding)
	}
	if s.options.Places {
		s.places = append(s.places, s.place(value))
	}
	s.links = append(s.links, s.kept(text))
	s.page.Links = append(s.page.Links, Link{Kind: kind, NoFollow: noFollow})
}

// kept takes the buffer of the page's texts, to which something was appended, and returns where that stands.
func (s *scanner) kept(text []byte) span {
	start := len(s.text)
	s.text = text
	return span{start, len(text)}
}

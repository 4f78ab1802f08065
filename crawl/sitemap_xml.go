package crawl

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// sitemapXML reads the XML of a sitemap. It knows the elements on the way from the root to the present place by name, as
// far down as one of interest can be, and keeps the text of those only.
type sitemapXML struct {
	r     *bufio.Reader
	found func(sitemapEntry) error

	depth  int
	path   [4]string // local names; empty for those whose prefix is not the root's
	prefix string    // of the root
	loc    field
	mod    field
}

// field is the text of one element of an entry, spaces at both ends included.
type field struct {
	text []byte
	long bool // it is too long to be kept
}

func (f *field) add(b ...byte) {
	if f.long = f.long || len(f.text)+len(b) > maxReference; !f.long {
		f.text = append(f.text, b...)
	}
}

func (f *field) reset() { *f = field{text: f.text[:0]} }

func (f *field) String() string {
	if f.long {
		return ""
	}
	return string(bytes.TrimSpace(f.text))
}

// parse reads to the end.
func (x *sitemapXML) parse() error {
	for {
		b, err := x.r.ReadByte()
		if err == nil {
			err = x.next(b)
		}
		if err == io.EOF {
			return nil // also in the middle of something
		} else if err != nil {
			return err
		}
	}
}

// next reads what begins with b.
func (x *sitemapXML) next(b byte) error {
	f := x.field()
	switch {
	case b == '<':
		return x.markup(f)
	case f == nil:
	case b == '&':
		return x.reference(f)
	default:
		f.add(b)
	}
	return nil
}

// inEntry says whether the present path begins with that of an entry, and how long that is. What a URL set lists are
// pages, what an index lists are sitemaps.
func (x *sitemapXML) inEntry() (depth int, index bool) {
	switch x.path[0] + " " + x.path[1] {
	case "urlset url":
		return 2, false
	case "sitemapindex sitemap":
		return 2, true
	case "feed entry":
		return 2, false
	case "rss channel":
		if x.path[2] == "item" {
			return 3, false
		}
	}
	return 0, false
}

// field returns where the text of the present element belongs, nil for nowhere.
func (x *sitemapXML) field() *field {
	entry, _ := x.inEntry()
	if entry == 0 || x.depth != entry+1 {
		return nil
	}
	switch name := x.path[entry]; {
	case name == "loc" && x.path[0] != "feed" && x.path[0] != "rss", name == "link" && x.path[0] == "rss":
		return &x.loc
	case name == "lastmod" && x.path[0] == "urlset", name == "updated" && x.path[0] == "feed":
		return &x.mod
	}
	return nil
}

// markup reads what follows a <.
func (x *sitemapXML) markup(f *field) error {
	b, err := x.r.ReadByte()
	if err != nil {
		return err
	}
	switch b {
	case '?':
		return x.skipPast("?>", nil)
	case '!':
		return x.declaration(f)
	case '/':
		if err := x.skipPast(">", nil); err != nil {
			return err
		}
		return x.end()
	}
	return x.start(b)
}

// declaration reads a comment, CDATA, or a document type with all that it may hold.
func (x *sitemapXML) declaration(f *field) error {
	if head, _ := x.r.Peek(2); string(head) == "--" {
		_, _ = x.r.Discard(2)
		return x.skipPast("-->", nil)
	}
	if head, _ := x.r.Peek(7); string(head) == "[CDATA[" {
		_, _ = x.r.Discard(7)
		return x.skipPast("]]>", f)
	}
	quote := byte(0)
	for open := 1; open > 0; {
		b, err := x.r.ReadByte()
		switch {
		case err != nil:
			return err
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '"' || b == '\'':
			quote = b
		case b == '<':
			if head, _ := x.r.Peek(3); string(head) == "!--" {
				if err := x.skipPast("-->", nil); err != nil {
					return err
				}
				continue
			}
			open++
		case b == '>':
			open--
		}
	}
	return nil
}

// skipPast reads up to and with a text, and adds what is before that to f if it is not nil.
func (x *sitemapXML) skipPast(end string, f *field) error {
	last := end[len(end)-1]
	var tail [3]byte // the last bytes read
	for n := 0; ; {
		b, err := x.r.ReadByte()
		if err != nil {
			return err
		}
		if f != nil {
			f.add(b)
		}
		tail[0], tail[1], tail[2] = tail[1], tail[2], b
		if n++; b == last && n >= len(end) && string(tail[3-len(end):]) == end {
			if f != nil && !f.long {
				f.text = f.text[:len(f.text)-len(end)]
			}
			return nil
		}
	}
}

// start reads a start tag whose name begins with first.
func (x *sitemapXML) start(first byte) error {
	tag := tagReader{r: x.r}
	name, err := tag.name(first)
	if err != nil {
		return err
	}
	x.enter(name)
	href, rel := "", ""
	isLink := x.path[0] == "feed" && x.path[1] == "entry" && x.path[2] == "link" && x.depth == 3
	for {
		key, value, more, err := tag.attribute(isLink)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		switch key {
		case "href":
			href = value
		case "rel":
			rel = value
		}
	}
	if isLink && (rel == "" || rel == "alternate") {
		x.loc.reset()
		x.loc.add([]byte(href)...)
	}
	if tag.empty {
		return x.end()
	}
	return nil
}

// enter goes into an element.
func (x *sitemapXML) enter(name string) {
	prefix, local, ok := strings.Cut(name, ":")
	if !ok || prefix == "" || local == "" {
		prefix, local = "", name
	}
	if x.depth == 0 {
		x.prefix = prefix
	}
	if x.depth < len(x.path) {
		if x.path[x.depth] = ""; prefix == x.prefix {
			x.path[x.depth] = local
		}
	}
	x.depth++
	if entry, _ := x.inEntry(); entry > 0 && x.depth == entry {
		x.loc.reset()
		x.mod.reset()
	}
	if f := x.field(); f != nil {
		f.reset() // of several the last one counts
	}
}

// end leaves an element, and tells of the entry that ends with it.
func (x *sitemapXML) end() error {
	if x.depth == 0 {
		return nil
	}
	var err error
	if entry, index := x.inEntry(); entry > 0 && x.depth == entry {
		if loc := x.loc.String(); loc != "" {
			err = x.found(sitemapEntry{loc: loc, lastMod: lastModOf(x.mod.String()), sitemap: index})
		}
	}
	if x.depth--; x.depth < len(x.path) {
		x.path[x.depth] = ""
	}
	return err
}

// maxEntity is the most bytes of a reference, & and ; included.
const maxEntity = 12

// reference reads what follows a &: a character reference, or text that looks like the beginning of one.
func (x *sitemapXML) reference(f *field) error {
	ahead, err := x.r.Peek(maxEntity)
	if err != nil && err != io.EOF && len(ahead) == 0 {
		return err
	}
	i := bytes.IndexByte(ahead, ';')
	if i < 0 {
		f.add('&')
		return nil
	}
	c, ok := entity(string(ahead[:i]))
	if !ok {
		f.add('&')
		return nil
	}
	f.add(c...)
	_, err = x.r.Discard(i + 1)
	return err
}

// entity returns the character that XML has for a name, or for # and a number.
func entity(name string) ([]byte, bool) {
	switch name {
	case "amp":
		return []byte("&"), true
	case "lt":
		return []byte("<"), true
	case "gt":
		return []byte(">"), true
	case "quot":
		return []byte(`"`), true
	case "apos":
		return []byte("'"), true
	}
	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hex, is := strings.CutPrefix(digits, "x"); is {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if !ok || err != nil || n > utf8.MaxRune {
		return nil, false
	}
	return utf8.AppendRune(nil, rune(n)), true
}

// tagReader reads a start tag.
type tagReader struct {
	r     *bufio.Reader
	empty bool // it ends in />
}

// maxXMLName is the most bytes of a name that are kept; none of interest has so many.
const maxXMLName = 64

// name reads the tag's name.
func (t *tagReader) name(first byte) (string, error) {
	name := []byte{first}
	for {
		b, err := t.r.ReadByte()
		if err != nil {
			return "", err
		}
		if strings.IndexByte(whiteSpace+"/>=", b) >= 0 {
			return string(name), t.r.UnreadByte()
		}
		if len(name) < maxXMLName {
			name = append(name, b)
		}
	}
}

// attribute reads the next attribute, its value only if it is to be kept. more is false where the tag ends instead.
func (t *tagReader) attribute(keep bool) (key, value string, more bool, err error) {
	for {
		b, err := skipSpace(t.r)
		if err != nil {
			return "", "", false, err
		}
		_, _ = t.r.Discard(1)
		switch b {
		case '>':
			return "", "", false, nil
		case '/':
			next, err := t.r.Peek(1)
			t.empty = err == nil && next[0] == '>'
			continue
		}
		if key, err = t.name(b); err != nil {
			return "", "", false, err
		}
		if b, err = skipSpace(t.r); err != nil || b != '=' {
			return key, "", true, err
		}
		_, _ = t.r.Discard(1)
		value, err = t.value(keep)
		return key, value, true, err
	}
}

// value reads what stands behind an equals sign.
func (t *tagReader) value(keep bool) (string, error) {
	quote, err := skipSpace(t.r)
	if err != nil || quote != '"' && quote != '\'' {
		return "", err
	}
	_, _ = t.r.Discard(1)
	var f field
	x := sitemapXML{r: t.r}
	for {
		b, err := t.r.ReadByte()
		switch {
		case err != nil:
			return "", err
		case b == quote:
			return f.String(), nil
		case !keep:
		case b == '&':
			if err := x.reference(&f); err != nil {
				return "", err
			}
		default:
			f.add(b)
		}
	}
}

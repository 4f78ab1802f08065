package crawl

import "bytes"

// whiteSpace is what the HTML Standard calls ASCII whitespace.
const whiteSpace = " \t\n\f\r"

// What a byte is within a tag: a set of these.
const (
	isSpace     = 1 << iota // white space
	endsTagName             // white space, / and >
	endsName                // the same and =, after an attribute's name
	endsValue               // white space and >, after a value without quotes
	isLetter                // which starts a tag's name
)

var lexical = func() (t [256]uint8) {
	for _, c := range whiteSpace {
		t[c] = isSpace | endsTagName | endsName | endsValue
	}
	t['/'] = endsTagName | endsName
	t['>'] = endsTagName | endsName | endsValue
	t['='] = endsName
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-0x20] = isLetter, isLetter
	}
	return t
}()

// lexer reads the tags of a document, as the tokenizer of the HTML Standard does (section 13.2.5).
type lexer struct {
	b   []byte
	p   int  // what comes next
	end bool // the tag that toTag found is an end tag
	eof bool // the document ends in a tag, which is therefore none
}

// toTag goes to the name of the next tag over text, comments and the like, or returns false at the end.
func (l *lexer) toTag() bool {
	for {
		i := bytes.IndexByte(l.b[l.p:], '<')
		if i < 0 || l.p+i+1 >= len(l.b) {
			return false
		}
		l.p += i + 1
		switch c := l.b[l.p]; {
		case lexical[c]&isLetter != 0:
			l.end = false
			return true
		case c == '!':
			l.skipDeclaration()
		case c == '?':
			l.skipPast('>')
		case c == '/' && l.p+1 < len(l.b):
			l.p++
			if lexical[l.b[l.p]]&isLetter != 0 {
				l.end = true
				return true
			}
			l.skipPast('>')
		}
	}
}

// skipPast goes behind the next c, or to the end.
func (l *lexer) skipPast(c byte) bool {
	i := bytes.IndexByte(l.b[l.p:], c)
	if i < 0 {
		l.p = len(l.b)
		return false
	}
	l.p += i + 1
	return true
}

// skipDeclaration skips what an exclamation mark starts: a comment, or something else, which ends with the first >. So
// does a CDATA section: only foreign content has those.
func (l *lexer) skipDeclaration() {
	if !bytes.HasPrefix(l.b[l.p:], []byte("!--")) {
		l.skipPast('>')
		return
	}
	// The two dashes of the start are part of an end too, as in <!--> and <!--->, but not of the end --!>.
	open := l.p + 1
	l.p = open
	for l.skipPast('>') {
		before := l.b[open : l.p-1]
		if bytes.HasSuffix(before, []byte("--")) || bytes.HasSuffix(before, []byte("--!")) && len(before) >= len("----!") {
			return
		}
	}
}

// tagName reads the name of a tag.
func (l *lexer) tagName() []byte {
	start := l.p
	for l.p < len(l.b) && lexical[l.b[l.p]]&endsTagName == 0 {
		l.p++
	}
	return l.b[start:l.p]
}

// skipAttributes goes behind the tag whose name was read.
func (l *lexer) skipAttributes() {
	if l.p < len(l.b) && l.b[l.p] == '>' {
		l.p++ // at once, as most tags have none
		return
	}
	for ok := true; ok; {
		_, _, ok = l.attribute()
	}
}

// attribute reads one attribute as it stands there, or goes behind the tag and returns false. A value is never nil.
// The first of several with one name is the one that counts.
func (l *lexer) attribute() (name, value []byte, ok bool) {
	b, p := l.b, l.p
	for p < len(b) && (lexical[b[p]]&isSpace != 0 || b[p] == '/') {
		p++
	}
	if p >= len(b) || b[p] == '>' {
		l.p, l.eof = min(p+1, len(b)), p >= len(b)
		return nil, nil, false
	}
	start := p
	p++ // whatever it is: a name may start with =
	for p < len(b) && lexical[b[p]]&endsName == 0 {
		p++
	}
	name, value = b[start:p], b[p:p]
	p = l.skipSpace(p)
	if p < len(b) && b[p] == '=' {
		p = l.skipSpace(p + 1)
		switch {
		case p >= len(b) || b[p] == '>':
		case b[p] == '"' || b[p] == '\'':
			length := bytes.IndexByte(b[p+1:], b[p])
			if length < 0 {
				l.p, l.eof = len(b), true
				return nil, nil, false
			}
			value = b[p+1 : p+1+length]
			p += length + 2
		default:
			start = p
			for p < len(b) && lexical[b[p]]&endsValue == 0 {
				p++
			}
			value = b[start:p]
		}
	}
	l.p = p
	return name, value, true
}

func (l *lexer) skipSpace(p int) int {
	for p < len(l.b) && lexical[l.b[p]]&isSpace != 0 {
		p++
	}
	return p
}

// rawText returns the text up to the end tag that starts as end says, and goes to that tag. Without one all that follows
// is text.
func (l *lexer) rawText(end string) []byte {
	start := l.p
	for {
		i := bytes.Index(l.b[l.p:], []byte("</"))
		if i < 0 {
			l.p = len(l.b)
			return l.b[start:]
		}
		if l.p += i; l.tagAt(l.p, end) {
			return l.b[start:l.p]
		}
		l.p += len("</")
	}
}

// tagAt says whether at p stands a tag with this start and no longer name.
func (l *lexer) tagAt(p int, start string) bool {
	end := p + len(start)
	return end < len(l.b) && lexical[l.b[end]]&endsTagName != 0 && is(l.b[p:end], start)
}

// skipScript goes to the end tag of a script. Within a comment, a script may itself hold a script element, whose end tag
// does not end it: the script data states of the tokenizer, "escaped" and "double escaped".
func (l *lexer) skipScript() {
	const none, escaped, doubleEscaped = 0, 1, 2
	state := none
	commentEnd := -1 // where the next --> stands, if not before p
	for {
		i := bytes.IndexByte(l.b[l.p:], '<')
		if i < 0 {
			i = len(l.b) - l.p
		}
		if state != none {
			if commentEnd < l.p {
				commentEnd = len(l.b)
				if j := bytes.Index(l.b[l.p:], []byte("-->")); j >= 0 {
					commentEnd = l.p + j
				}
			}
			if commentEnd < l.p+i {
				l.p = commentEnd + len("-->")
				state = none
				continue
			}
		}
		l.p += i
		switch {
		case l.p == len(l.b) || state != doubleEscaped && l.tagAt(l.p, "</script"):
			return
		case state == none && bytes.HasPrefix(l.b[l.p:], []byte("<!--")):
			state = escaped
			l.p += len("<!") // its dashes may be the end's as well
		case state == escaped && l.tagAt(l.p, "<script"):
			state = doubleEscaped
			l.p++
		case state == doubleEscaped && l.tagAt(l.p, "</script"):
			state = escaped
			l.p++
		default:
			l.p++
		}
	}
}

// is says whether a name is the given one, which is in lower case.
func is(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(lower) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

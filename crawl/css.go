package crawl

import (
	"bytes"
	"iter"
	"strings"
	"unicode/utf8"
)

// cssURL is a URL in a style sheet.
type cssURL struct {
	raw        string   // as it is written, without url() and quotes: escapes are in it
	start, end int      // of the sheet: the whole token, with url() and quotes
	kind       LinkKind // KindStyle for an import, otherwise KindAsset
	bare       bool     // an import's string, which is no url()
}

// url returns the URL that is meant: escapes are decoded (CSS Syntax Level 3, section 4.3.7).
func (u cssURL) url() string {
	if !strings.Contains(u.raw, `\`) {
		return u.raw
	}
	var b strings.Builder
	for s := u.raw; s != ""; {
		if s[0] != '\\' || len(s) == 1 {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		s = s[1:]
		n, code := 0, rune(0)
		for n < len(s) && n < 6 && isHex(s[n]) {
			code = code<<4 | rune(hexValue(s[n]))
			n++
		}
		switch {
		case n > 0:
			if code == 0 || !utf8.ValidRune(code) {
				code = utf8.RuneError
			}
			b.WriteRune(code)
			s = s[n:]
			if strings.HasPrefix(s, "\r\n") {
				s = s[2:]
			} else if s != "" && lexical[s[0]]&isSpace != 0 {
				s = s[1:]
			}
		case strings.HasPrefix(s, "\r\n"):
			s = s[2:] // a line that goes on
		case s[0] == '\n' || s[0] == '\r' || s[0] == '\f':
			s = s[1:]
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String()
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// cssURLs returns the URLs of a style sheet in their order: those of url() and of @import (CSS Syntax Level 3, section
// 4.3). Nothing within comments and other strings is one.
func cssURLs(css []byte) iter.Seq[cssURL] {
	return func(yield func(cssURL) bool) {
		c := cssLexer{b: css}
		for c.next() {
			if !yield(c.found) {
				return
			}
		}
	}
}

// cssLexer goes through a style sheet.
type cssLexer struct {
	b         []byte
	p         int
	importing bool // @import was read, and nothing since
	found     cssURL
}

// next goes to the next URL, which is then found, or returns false at the end.
func (c *cssLexer) next() bool {
	for c.p < len(c.b) {
		start, importing := c.p, c.importing
		switch ch := c.b[c.p]; {
		case lexical[ch]&isSpace != 0:
			c.p++
			continue // an import's URL may still follow
		case ch == '/' && c.p+1 < len(c.b) && c.b[c.p+1] == '*':
			c.comment()
			continue
		case ch == '"' || ch == '\'':
			c.importing = false
			if raw, ok := c.text(); ok && importing {
				c.found = cssURL{raw: raw, start: start, end: c.p, kind: KindStyle, bare: true}
				return true
			}
		case ch == '@' || ch == '-' || ch == '_' || ch == '\\' || ch >= utf8.RuneSelf || lexical[ch]&isLetter != 0:
			name := c.name()
			c.importing = is(name, "@import")
			if is(name, "url") && c.p < len(c.b) && c.b[c.p] == '(' && c.url(start, importing) {
				return true
			}
		default:
			c.importing = false
			c.p++
		}
	}
	return false
}

// comment goes behind a comment.
func (c *cssLexer) comment() {
	if i := bytes.Index(c.b[c.p+2:], []byte("*/")); i >= 0 {
		c.p += i + 4
	} else {
		c.p = len(c.b)
	}
}

// name reads a name, with an at sign before it.
func (c *cssLexer) name() []byte {
	start := c.p
	for c.p++; c.p < len(c.b); c.p++ {
		ch := c.b[c.p]
		if ch == '\\' && c.p+1 < len(c.b) {
			c.p++
		} else if !isAlphanumeric(ch) && ch != '-' && ch != '_' && ch < utf8.RuneSelf {
			break
		}
	}
	return c.b[start:c.p]
}

// text reads a string. One that a line ends is none.
func (c *cssLexer) text() (raw string, ok bool) {
	quote := c.b[c.p]
	for i := c.p + 1; i < len(c.b); i++ {
		switch c.b[i] {
		case quote:
			raw = string(c.b[c.p+1 : i])
			c.p = i + 1
			return raw, true
		case '\\':
			if i++; i+1 < len(c.b) && c.b[i] == '\r' && c.b[i+1] == '\n' {
				i++
			}
		case '\n', '\r', '\f':
			c.p = i
			return "", false
		}
	}
	c.p = len(c.b)
	return "", false
}

// url reads what follows the name of a url() token or function. A bad one is skipped to its parenthesis.
func (c *cssLexer) url(start int, importing bool) bool {
	c.p++
	for c.p < len(c.b) && lexical[c.b[c.p]]&isSpace != 0 {
		c.p++
	}
	var raw string
	var ok bool
	if c.p < len(c.b) && (c.b[c.p] == '"' || c.b[c.p] == '\'') {
		raw, ok = c.text()
	} else {
		raw, ok = c.unquoted()
	}
	for c.p < len(c.b) && lexical[c.b[c.p]]&isSpace != 0 {
		c.p++
	}
	if !ok || c.p >= len(c.b) || c.b[c.p] != ')' {
		return false
	}
	c.p++
	c.found = cssURL{raw: raw, start: start, end: c.p, kind: KindAsset}
	if importing {
		c.found.kind = KindStyle
	}
	return true
}

// unquoted reads a URL without quotes.
func (c *cssLexer) unquoted() (raw string, ok bool) {
	start := c.p
	for ; c.p < len(c.b); c.p++ {
		switch ch := c.b[c.p]; {
		case ch == ')' || lexical[ch]&isSpace != 0:
			return string(c.b[start:c.p]), c.p > start
		case ch == '"' || ch == '\'' || ch == '(' || ch < ' ' || ch == 0x7f:
			return "", false
		case ch == '\\':
			c.p++
		}
	}
	return "", false
}

package crawl

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// decode returns what an attribute's value stands for: newlines as the standard's input stream has them (HTML 13.2.3.5),
// NUL and what is not UTF-8 replaced, character references decoded. The result is valid until the next call.
func (s *scanner) decode(raw []byte) []byte {
	plain, i := true, 0
	for ; i < len(raw) && plain; i++ {
		c := raw[i]
		plain = c < utf8.RuneSelf && c != '&' && c != 0 && c != '\r'
	}
	s.raw, s.decoded = raw, raw
	if plain {
		return raw
	}
	out := append(s.scratch[:0], raw[:i-1]...)
	for i--; i < len(raw); {
		switch c := raw[i]; {
		case c == '&':
			text, size := attributeReference(raw[i:])
			if size == 0 {
				text, size = "&", 1
			}
			out = append(out, text...)
			i += size
		case c == '\r':
			out = append(out, '\n')
			if i++; i < len(raw) && raw[i] == '\n' {
				i++
			}
		case c == 0:
			out = utf8.AppendRune(out, utf8.RuneError)
			i++
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			r, size := utf8.DecodeRune(raw[i:])
			out = utf8.AppendRune(out, r)
			i += size
		}
	}
	s.scratch, s.decoded = out, out
	return out
}

// attributeReference decodes the character reference that b starts with, and says how long it is; 0 if it is none. In an
// attribute, a name without a semicolon is none before a letter, a digit or an equals sign: ?a=1&copy=2 (HTML 13.2.5.73).
func attributeReference(b []byte) (text string, size int) {
	if bytes.HasPrefix(b, []byte("&amp;")) {
		return "&", len("&amp;")
	}
	if len(b) > 1 && b[1] == '#' {
		return numericReference(b)
	}
	const longest = len("&CounterClockwiseContourIntegral;")
	i := 1
	for i < len(b) && i < longest && isAlphanumeric(b[i]) {
		i++
	}
	terminated := i < len(b) && b[i] == ';'
	switch {
	case terminated:
		i++
	case i < len(b) && (b[i] == '=' || isAlphanumeric(b[i])):
		return "", 0
	}
	source := string(b[:i])
	text = html.UnescapeString(source)
	// UnescapeString decodes text, where the start of a name is enough: "&notit;" becomes "¬it;". The rest that stays
	// ends as the name did, which no whole name's text does except this one's.
	if last := text[len(text)-1]; text == source || terminated && last == ';' && source != "&semi;" ||
		!terminated && isAlphanumeric(last) {
		return "", 0
	}
	return text, i
}

// numericReference decodes the numeric character reference that b starts with.
func numericReference(b []byte) (text string, size int) {
	i, isDigit := len("&#"), isDecimal
	if i < len(b) && b[i]|0x20 == 'x' {
		i, isDigit = i+1, isHex
	}
	digits := i
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	if i == digits {
		return "", 0
	}
	if i < len(b) && b[i] == ';' {
		i++
	}
	return html.UnescapeString(string(b[:i])), i
}

func isDecimal(c byte) bool { return '0' <= c && c <= '9' }

func isAlphanumeric(c byte) bool { return isDecimal(c) || lexical[c]&isLetter != 0 }

// maxTitle is the most bytes of a title that are kept.
const maxTitle = 4 << 10

// appendTitle appends the text of a title element.
func appendTitle(to, raw []byte) []byte { return appendText(to, raw, maxTitle) }

// appendText appends at most limit bytes of a text, white space collapsed.
func appendText(to, raw []byte, limit int) []byte {
	raw = raw[:min(len(raw), 8*limit)] // references and white space are longer than what they stand for
	if bytes.IndexByte(raw, 0) >= 0 || !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(bytes.ReplaceAll(raw, []byte{0}, []byte("\ufffd")), []byte("\ufffd"))
	}
	if bytes.IndexByte(raw, '&') >= 0 {
		raw = []byte(html.UnescapeString(string(raw)))
	}
	start := len(to)
	for word := range bytes.FieldsFuncSeq(raw, isWhiteSpace) {
		if len(to) > start {
			to = append(to, ' ')
		}
		to = append(to, word...)
	}
	if len(to)-start > limit {
		cut := start + limit
		for !utf8.RuneStart(to[cut]) {
			cut--
		}
		to = to[:cut]
	}
	return to
}

func isWhiteSpace(r rune) bool { return r < utf8.RuneSelf && lexical[r]&isSpace != 0 }

func trimSpace(b []byte) []byte {
	for len(b) > 0 && lexical[b[0]]&isSpace != 0 {
		b = b[1:]
	}
	for len(b) > 0 && lexical[b[len(b)-1]]&isSpace != 0 {
		b = b[:len(b)-1]
	}
	return b
}

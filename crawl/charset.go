package crawl

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
)

const utf8Name = "utf-8"

// toUTF8 returns an HTML document in UTF-8, and the name of the encoding that it has had, as the Encoding Standard writes
// it in lower case. What says the encoding is, in this order, a byte order mark, the Content-Type, a meta element in the
// first 1024 bytes (HTML Standard, section 13.2.3.2). A document that says nothing is UTF-8 if it is valid as that,
// else windows-1252. Bytes that are wrong in a document in UTF-8 are left in it. The result may share body's memory.
func toUTF8(body []byte, contentType string) ([]byte, string) {
	body, name, e := encodingOf(body, contentType)
	if e == nil {
		return body, name
	}
	// The error is ignored for there is none: what cannot be decoded becomes U+FFFD.
	decoded, _ := e.NewDecoder().Bytes(body)
	return decoded, name
}

// encodingOf returns a document without its byte order mark, the name of its encoding, and what decodes it; nil if it is
// UTF-8 already.
func encodingOf(body []byte, contentType string) (rest []byte, name string, e encoding.Encoding) {
	name, mark := markedEncoding(body)
	body = body[mark:]
	if name == "" {
		name = headerEncoding(contentType)
	}
	if name == "" {
		name = metaEncoding(body)
	}
	if name == "" && utf8.Valid(body) {
		name = utf8Name
	} else if name == "" {
		name = "windows-1252"
	}
	if name == utf8Name || writesASCII(name) && isASCII(body) {
		return body, name, nil
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return body, utf8Name, nil
	}
	return body, name, e
}

// markedEncoding returns the encoding that a byte order mark says, and the mark's length.
func markedEncoding(body []byte) (string, int) {
	switch {
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return utf8Name, 3
	case bytes.HasPrefix(body, []byte("\xfe\xff")):
		return "utf-16be", 2
	case bytes.HasPrefix(body, []byte("\xff\xfe")):
		return "utf-16le", 2
	}
	return "", 0
}

// headerEncoding returns the encoding that a Content-Type says, or nothing.
func headerEncoding(contentType string) string {
	_, parameters, _ := strings.Cut(contentType, ";")
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "charset") {
			return encodingName(strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
	return ""
}

// encodingName returns the name of the encoding with a label, or nothing.
func encodingName(label string) string {
	if strings.EqualFold(label, utf8Name) {
		return utf8Name
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return ""
	}
	name, err := htmlindex.Name(e)
	if err != nil {
		return ""
	}
	return name
}

// metaEncoding returns the encoding that a meta element in the first 1024 bytes says, or nothing: HTML Standard, section
// 13.2.3.2, "prescan a byte stream to determine its encoding".
func metaEncoding(body []byte) string {
	l := lexer{b: body[:min(len(body), 1024)]}
	for l.toTag() {
		if name := l.tagName(); l.end || !is(name, "meta") {
			l.skipAttributes()
			continue
		}
		if name := l.metaCharset(); name != "" && !l.eof {
			return name
		}
	}
	return ""
}

// metaCharset returns the encoding that a meta element says, whose attributes are next.
func (l *lexer) metaCharset() string {
	var equiv, content, charset []byte
	for name, value, ok := l.attribute(); ok; name, value, ok = l.attribute() {
		switch {
		case equiv == nil && is(name, "http-equiv"):
			equiv = value
		case content == nil && is(name, "content"):
			content = value
		case charset == nil && is(name, "charset"):
			charset = value
		}
	}
	label := string(charset)
	if charset == nil && is(equiv, "content-type") {
		label = charsetIn(string(content))
	}
	switch name := encodingName(strings.Trim(label, whiteSpace)); name {
	case "utf-16be", "utf-16le":
		return utf8Name // it could not have been read as ASCII
	case "x-user-defined":
		return "windows-1252"
	default:
		return name
	}
}

// charsetIn returns the charset in a meta element's content: HTML Standard, "extracting a character encoding from a meta
// element".
func charsetIn(content string) string {
	content = strings.ToLower(content)
	for {
		i := strings.Index(content, "charset")
		if i < 0 {
			return ""
		}
		content = strings.TrimLeft(content[i+len("charset"):], whiteSpace)
		if rest, ok := strings.CutPrefix(content, "="); ok {
			content = strings.TrimLeft(rest, whiteSpace)
			break
		}
	}
	if content != "" && (content[0] == '"' || content[0] == '\'') {
		label, _, closed := strings.Cut(content[1:], content[:1])
		if !closed {
			return ""
		}
		return label
	}
	if i := strings.IndexAny(content, whiteSpace+";"); i >= 0 {
		content = content[:i]
	}
	return content
}

// writesASCII says whether bytes below 0x80 are ASCII in an encoding whatever stands before them.
func writesASCII(name string) bool {
	switch name {
	case "utf-16be", "utf-16le", "iso-2022-jp", "replacement":
		return false
	}
	return true
}

func isASCII(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.NativeEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// queryEncoding returns the encoding that a document of the named encoding has its queries sent in; nil for UTF-8
// (Encoding Standard, "get an output encoding").
func queryEncoding(name string) encoding.Encoding {
	switch name {
	case "", utf8Name, "utf-16be", "utf-16le", "replacement":
		return nil
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return nil
	}
	return e
}

// appendURLIn appends a URL with its query's characters beyond ASCII percent-encoded as they are in an encoding. One that
// the encoding lacks becomes a decimal character reference (URL Standard, "percent-encode after encoding").
func appendURLIn(to, url []byte, e encoding.Encoding) []byte {
	url, fragment, hasFragment := bytes.Cut(url, []byte("#"))
	url, query, hasQuery := bytes.Cut(url, []byte("?"))
	to = append(to, url...)
	if hasQuery {
		to = append(to, '?')
	}
	for len(query) > 0 {
		n := 1
		for n < len(query) && (query[n] < utf8.RuneSelf) == (query[0] < utf8.RuneSelf) {
			n++
		}
		if query[0] < utf8.RuneSelf {
			to = append(to, query[:n]...)
		} else {
			to = appendIn(to, query[:n], e)
		}
		query = query[n:]
	}
	if hasFragment {
		to = append(append(to, '#'), fragment...)
	}
	return to
}

// appendIn appends characters beyond ASCII. They are encoded together, where that can be, because an encoding may write a
// character in the set that the last one has switched to.
func appendIn(to, text []byte, e encoding.Encoding) []byte {
	if encoded, err := e.NewEncoder().Bytes(text); err == nil {
		return appendEncoded(to, string(encoded), inQuery)
	}
	for _, r := range string(text) {
		encoded, err := e.NewEncoder().String(string(r))
		if err != nil {
			encoded = "%26%23" + strconv.Itoa(int(r)) + "%3B"
		}
		to = appendEncoded(to, encoded, inQuery)
	}
	return to
}

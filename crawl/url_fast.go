package crawl

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What a byte is to the fast path: a set of these.
const (
	inPath   = 1 << iota // is percent-encoded in a path
	inQuery              // is percent-encoded in the query of an http URL
	hard                 // is left to the standard's parser wherever it stands
	nonASCII             // is part of a character beyond ASCII
	hostByte             // stands for itself in a host, perhaps in the other case
	isColon
	mayChange // is written in another way in a path or a query, or may be
)

// classes follows the percent-encode sets of the URL Standard, section 1.3.
var classes = func() (t [256]uint8) {
	for c := range t {
		if c <= ' ' || c >= 0x7f {
			t[c] |= inPath | inQuery
		}
		if c >= 0x80 {
			t[c] |= nonASCII
		}
		if '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '.' || c == '_' {
			t[c] |= hostByte
		}
	}
	for _, c := range "\t\n\r\\" {
		t[c] |= hard
	}
	for _, c := range "\"#<>" {
		t[c] |= inPath | inQuery
	}
	for _, c := range "?^`{}" {
		t[c] |= inPath
	}
	t['\''] |= inQuery
	for c := range t {
		if t[c]&(inPath|inQuery) != 0 && c != '?' || c == '%' {
			t[c] |= mayChange
		}
	}
	t[':'] |= isColon
	return t
}()

// classesOf returns the classes of all bytes of s.
func classesOf(s string) (seen uint8) {
	for i := range len(s) {
		seen |= classes[s[i]]
	}
	return seen
}

// resolveFast resolves the references that nearly all links are: paths, queries, and http URLs with a plain host. It
// gives exactly what resolveStandard does, or false, and takes out for its text, which is empty. The reference has no
// fragment and no scheme but http and https; seen is its classes.
func (base URL) resolveFast(out []byte, ref string, seen uint8) (text []byte, _ URL, ok bool) {
	if seen&hard != 0 || seen&nonASCII != 0 && !utf8.ValidString(ref) {
		return nil, URL{}, false
	}
	if scheme, ok := schemeOf(ref); ok {
		rest := ref[len(scheme)+1:]
		if !strings.HasPrefix(rest, "//") {
			return nil, URL{}, false
		}
		return fromAuthority(out, scheme, rest[2:], seen)
	}
	switch {
	case base.text == "":
		return nil, URL{}, false
	case ref == "":
		out = append(out, base.text...)
		base.text = ""
		return out, base, true
	case strings.HasPrefix(ref, "//"):
		return fromAuthority(out, base.Scheme(), ref[2:], seen)
	}
	switch path := base.text[base.path:base.query]; ref[0] {
	case '/':
		out, ref = append(out, base.text[:base.path+1]...), ref[1:]
	case '?':
		out = append(out, base.text[:base.query]...)
	default:
		out = append(out, base.text[:int(base.path)+strings.LastIndexByte(path, '/')+1]...)
	}
	text, u := finish(out, ref, int(base.host), int(base.colon), int(base.path), base.port, seen)
	return text, u, true
}

// fromAuthority parses what follows the two slashes.
func fromAuthority(out []byte, scheme, rest string, seen uint8) (text []byte, _ URL, ok bool) {
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	name, digits, _ := strings.Cut(rest[:end], ":")
	if !plainHost(name) {
		return nil, URL{}, false
	}
	own := uint16(80)
	if scheme == "https" {
		own = 443
	}
	port, ok := parsePort(digits, own)
	if !ok {
		return nil, URL{}, false
	}
	out = append(append(out, scheme...), "://"...)
	host := len(out)
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		out = append(out, c)
	}
	colon := len(out)
	if port != own {
		out = strconv.AppendUint(append(out, ':'), uint64(port), 10)
	}
	path := len(out)
	out = append(out, '/')
	text, u := finish(out, strings.TrimPrefix(rest[end:], "/"), host, colon, path, port, seen)
	return text, u, true
}

// plainHost says whether a host is a name that only has to be lower-cased: nothing that could be an address, and no label
// in Punycode, whose validity is to be checked.
func plainHost(name string) bool {
	label := 0 // where the last label that is not empty starts
	for i := range len(name) {
		switch {
		case classes[name[i]]&hostByte == 0:
			return false
		case name[i] == '.' && i+1 < len(name):
			label = i + 1
		}
	}
	if name == "" || len(name) > maxHost || strings.IndexByte("0123456789-.", name[label]) >= 0 {
		return false
	}
	for i := range len(name) - 3 {
		if name[i]|0x20 == 'x' && strings.EqualFold(name[i:i+4], "xn--") {
			return false
		}
	}
	return true
}

// parsePort parses the digits after a colon; none stand for the scheme's own port.
func parsePort(digits string, own uint16) (uint16, bool) {
	if digits == "" {
		return own, true
	}
	n := 0
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n > 65535 {
			return 0, false
		}
	}
	return uint16(n), true
}

// finish appends the path and query of ref to out, which is an origin and a path that ends with a slash; or with the
// whole path where ref starts with a question mark. seen is the classes of all its bytes. A dot segment takes away at
// most what stands after the path's first slash.
func finish(out []byte, ref string, host, colon, path int, port uint16, seen uint8) (text []byte, _ URL) {
	ref, search, _ := strings.Cut(ref, "?")
	if seen&mayChange == 0 && !strings.HasPrefix(ref, ".") && !strings.Contains(ref, "/.") {
		out = append(out, ref...)
		query := len(out)
		if search != "" {
			out = append(append(out, '?'), search...)
		}
		return out, placesOf(host, colon, path, query, port)
	}
	for more := ref != ""; more; {
		var segment string
		segment, ref, more = strings.Cut(ref, "/")
		switch dots(segment) {
		case 1:
		case 2:
			if len(out) > path+1 {
				out = out[:bytes.LastIndexByte(out[:len(out)-1], '/')+1]
			}
		default:
			out = appendEncoded(out, segment, inPath)
			if more {
				out = append(out, '/')
			}
		}
	}
	query := len(out)
	out = appendQuery(out, search)
	return out, placesOf(host, colon, path, query, port)
}

// dots returns how many dots a dot segment has, where one may be written as %2e; 0 for any other segment.
func dots(segment string) int {
	n := 0
	for segment != "" {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && segment[0] == '%' && segment[1] == '2' && segment[2]|0x20 == 'e':
			segment = segment[3:]
		default:
			return 0
		}
		if n++; n > 2 {
			return 0
		}
	}
	return n
}

// appendQuery appends a query with its question mark, or nothing if it is empty.
func appendQuery(out []byte, query string) []byte {
	if query == "" {
		return out
	}
	return appendEncoded(append(out, '?'), query, inQuery)
}

// appendEncoded percent-encodes the bytes of s that are of the class, and writes what is encoded already in upper case.
func appendEncoded(out []byte, s string, class uint8) []byte {
	const upper = "0123456789ABCDEF"
	from := 0
	for i := range len(s) {
		c := s[i]
		if classes[c]&class != 0 {
			out = append(append(out, s[from:i]...), '%', upper[c>>4], upper[c&15])
			from = i + 1
		} else if c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			out = append(append(out, s[from:i]...), '%', upperHex(s[i+1]), upperHex(s[i+2]))
			from = i + 3
		}
	}
	return append(out, s[from:]...)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func upperHex(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 'A'
	}
	return c
}

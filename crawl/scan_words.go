package crawl

import "bytes"

// hasWord says whether a list of words, parted by white space, has the word, which is in lower case.
func hasWord(list []byte, word string) bool {
	for w := range bytes.FieldsFuncSeq(list, isWhiteSpace) {
		if is(w, word) {
			return true
		}
	}
	return false
}

// linkKinds returns the set of kinds, a bit each, that the rel of a link element says.
func linkKinds(rel []byte) (kinds uint) {
	for w := range bytes.FieldsFuncSeq(rel, isWhiteSpace) {
		switch {
		case is(w, "canonical"):
			kinds |= 1 << KindCanonical
		case is(w, "next"):
			kinds |= 1 << KindNext
		case is(w, "prev"):
			kinds |= 1 << KindPrev
		case is(w, "stylesheet"):
			kinds |= 1 << KindStyle
		case is(w, "icon"):
			kinds |= 1 << KindImage
		}
	}
	return kinds
}

// forbidsFollowing says whether the rules of a robots meta element, or of an X-Robots-Tag header, tell robots not to
// follow links. A rule with a colon has a value, which is none of these words: "max-image-preview: none".
func forbidsFollowing(rules []byte) bool {
	for rule := range bytes.SplitSeq(rules, []byte(",")) {
		if bytes.IndexByte(rule, ':') < 0 && (hasWord(rule, "nofollow") || hasWord(rule, "none")) {
			return true
		}
	}
	return false
}

// refreshURL returns the URL in the content of a refresh, or nothing (HTML Standard, "shared declarative refresh steps").
func refreshURL(content []byte) []byte {
	rest := bytes.TrimLeft(content, whiteSpace)
	if len(rest) == 0 || !isDecimal(rest[0]) && rest[0] != '.' {
		return nil
	}
	rest = bytes.TrimLeft(rest, "0123456789.")
	if len(rest) == 0 || rest[0] != ';' && rest[0] != ',' && lexical[rest[0]]&isSpace == 0 {
		return nil
	}
	rest = bytes.TrimLeft(rest, whiteSpace)
	if len(rest) > 0 && (rest[0] == ';' || rest[0] == ',') {
		rest = bytes.TrimLeft(rest[1:], whiteSpace)
	}
	switch after, ok := cutURLEquals(rest); {
	case ok:
		rest = after
	case len(rest) > 0 && rest[0]|0x20 == 'u':
		return rest // a URL that starts with a u, and is not looked at for quotes
	}
	if len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'') {
		rest, _, _ = bytes.Cut(rest[1:], rest[:1])
	}
	return rest
}

// cutURLEquals removes "url=" from the start, with white space around the equals sign.
func cutURLEquals(s []byte) ([]byte, bool) {
	if len(s) < len("url") || !is(s[:len("url")], "url") {
		return s, false
	}
	rest := bytes.TrimLeft(s[len("url"):], whiteSpace)
	if len(rest) == 0 || rest[0] != '=' {
		return s, false
	}
	return bytes.TrimLeft(rest[1:], whiteSpace), true
}

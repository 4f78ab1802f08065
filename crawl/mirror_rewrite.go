package crawl

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strings"
)

// rewriter changes the links of one page of a mirror: to a relative one where the target is in the mirror, otherwise to
// an absolute one. All other bytes stay.
type rewriter struct {
	files     *mirrorFiles
	page      URL           // where it came from
	name      string        // its file
	canonical func(URL) URL // as of mirror
}

var (
	fragmentEscapes  = strings.NewReplacer(" ", "%20", `"`, "%22", "<", "%3C", ">", "%3E", "\n", "", "\t", "", "\r", "")
	attributeEscapes = strings.NewReplacer("&", "&amp;", `"`, "&quot;", "'", "&#39;", "<", "&lt;", ">", "&gt;")
	stringEscapes    = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\a `)
)

// target returns what a link is to be, or false if it is to stay as it is. A canonical link stays absolute: it says where
// the page is on the web.
func (r *rewriter) target(base URL, link string, kind LinkKind) (string, bool) {
	u, err := base.Resolve(link)
	if err != nil || base == r.page && (link == "" || link[0] == '#') {
		return "", false // it leads to no page, or stays on this one
	}
	fragment := ""
	if i := strings.IndexByte(link, '#'); i >= 0 {
		fragment = fragmentEscapes.Replace(link[i:])
	}
	to := u.String()
	if name, ok := r.file(u, kind); ok && kind != KindCanonical {
		to = relativePath(r.name, name)
	}
	to += fragment
	return to, to != link
}

// file returns the file that a link to a URL leads to.
func (r *rewriter) file(u URL, kind LinkKind) (name string, ok bool) {
	if !kind.Requisite() {
		if name, ok = r.files.file(r.canonical(u).String()); ok {
			return name, true
		}
	}
	return r.files.file(u.String())
}

// relativePath returns the link from one file of the mirror to another.
func relativePath(from, to string) string {
	dir := strings.Split(path.Dir(from), "/")
	parts := strings.Split(to, "/")
	same := 0
	for same < len(dir) && same < len(parts)-1 && dir[same] == parts[same] {
		same++
	}
	return strings.Repeat("../", len(dir)-same) + escapePath(strings.Join(parts[same:], "/"))
}

// escapePath writes a file's name as a relative URL: without what ends a path, what an attribute, a style or a srcset
// would need quotes for, and a colon, before which a scheme would stand.
func escapePath(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if isAlphanumeric(c) || strings.IndexByte("-._~/@+=!$*", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		const digits = "0123456789ABCDEF"
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// edit replaces a part of some bytes.
type edit struct {
	at  span
	new string
}

// apply makes edits that do not overlap. Of several at one place the first counts.
func apply(b []byte, edits []edit) []byte {
	if len(edits) == 0 {
		return b
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.at.start, b.at.start) })
	out := make([]byte, 0, len(b)+len(b)/16)
	done := 0
	for i, e := range edits {
		if e.at.start < done || i > 0 && e.at == edits[i-1].at {
			continue
		}
		out = append(append(out, b[done:e.at.start]...), e.new...)
		done = e.at.end
	}
	return append(out, b[done:]...)
}

// css rewrites a style sheet.
func (r *rewriter) css(body []byte) []byte {
	var edits []edit
	for ref := range cssURLs(body) {
		if to, changed := r.target(r.page, strings.Trim(ref.url(), whiteSpace), ref.kind); changed {
			edits = append(edits, edit{span{ref.start, ref.end}, cssToken(to, ref.bare)})
		}
	}
	return apply(body, edits)
}

// cssToken writes a URL as a style sheet has it.
func cssToken(url string, bare bool) string {
	url = `"` + stringEscapes.Replace(url) + `"`
	if bare {
		return url
	}
	return "url(" + url + ")"
}

// html rewrites a page. One that is not in ASCII, and does not itself say that it is in UTF-8, becomes UTF-8 with a byte
// order mark: what the server said of it is not there any more.
func (r *rewriter) html(body []byte, contentType string) []byte {
	text, charset := toUTF8(body, contentType)
	_, mark := markedEncoding(body)
	prefix := ""
	if !isASCII(text) && (mark > 0 || charset != utf8Name || metaEncoding(body) != utf8Name) {
		prefix = "\xef\xbb\xbf"
	}
	var s scanner
	page := s.scan(text, scanOptions{Charset: charset, Requisites: true, Styles: true, Places: true})
	s.b = text // to read its values once more
	base := page.base(r.page)
	values := map[place][]edit{} // by attribute
	for i, link := range page.Links {
		at := s.places[i]
		to, changed := r.target(base, link.URL, link.Kind)
		if !changed || at.attribute.start == at.attribute.end {
			continue
		}
		if at.style {
			to = cssToken(to, at.bare)
		}
		key := place{attribute: at.attribute, text: at.text}
		values[key] = append(values[key], edit{at.value, to})
	}
	var edits []edit
	for at, inner := range values {
		edits = append(edits, r.attribute(&s, text, at, inner))
	}
	if page.HasBase && page.Base != "" {
		edits = append(edits, r.attribute(&s, text, s.baseAt, []edit{{s.baseAt.value, ""}}))
	}
	for _, guard := range s.guards {
		edits = append(edits, edit{span{guard.start, guard.start}, "data-"})
	}
	return append([]byte(prefix), apply(text, edits)...)
}

// attribute returns the edit of a whole attribute's value, with quotes if it has none.
func (r *rewriter) attribute(s *scanner, text []byte, at place, inner []edit) edit {
	raw := text[at.attribute.start:at.attribute.end]
	if at.text {
		return edit{at.attribute, string(apply(raw, inner))}
	}
	value := apply(bytes.Clone(s.decode(raw)), inner)
	escaped := attributeEscapes.Replace(string(value))
	if !quoted(text, at.attribute) {
		escaped = `"` + escaped + `"`
	}
	return edit{at.attribute, escaped}
}

// quoted says whether an attribute's value stands in quotes.
func quoted(text []byte, at span) bool {
	if at.start == 0 || at.end >= len(text) {
		return false
	}
	q := text[at.start-1]
	return (q == '"' || q == '\'') && text[at.end] == q
}

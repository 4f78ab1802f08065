package crawl

import (
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fileKind is what a browser takes a file for, by the end of its name: there is no Content-Type without a server.
type fileKind uint8

const (
	fileOther fileKind = iota // found out from the content, or of no matter
	fileHTML
	fileCSS
	fileScript
	fileSVG
)

// fileKindOf returns the kind of a Content-Type. Without one it is the name that counts, also on the web.
func fileKindOf(contentType string) fileKind {
	media, _, _ := mime.ParseMediaType(contentType)
	switch media {
	case "text/html", "application/xhtml+xml":
		return fileHTML
	case "text/css":
		return fileCSS
	case "text/javascript", "application/javascript", "application/x-javascript", "application/ecmascript",
		"text/ecmascript":
		return fileScript
	case "image/svg+xml":
		return fileSVG
	}
	return fileOther
}

// fileEndings are the ends of names that browsers know the kinds by; the first is added where there is none of them.
var fileEndings = [...][]string{
	fileOther: {""}, fileHTML: {".html", ".htm", ".xhtml", ".xht"}, fileCSS: {".css"}, fileScript: {".js", ".mjs"},
	fileSVG: {".svg"},
}

// The bounds of names: most file systems take 255 bytes a part, and one system 1,024 in all.
const (
	maxPart = 200
	maxName = 700
)

// plainName returns the name that a page has unless another one has it: a folder for the host, the path, the query
// after an @. It is a slash-separated relative path without dot segments, of names that all systems can have.
func plainName(u URL, kind fileKind) string {
	host := u.Authority()
	if host[0] != '[' {
		host = strings.Replace(host, ":", "+", 1) // no system takes exception to that
	}
	host = safePart(host)
	parts := []string{host}
	segments := strings.Split(strings.TrimPrefix(u.Path(), "/"), "/")
	for _, segment := range segments[:len(segments)-1] {
		parts = append(parts, safePart(decodedSegment(segment)))
	}
	last := decodedSegment(segments[len(segments)-1])
	ending := ""
	if last == "" {
		last, ending = "index", fileEndings[kind][0]
	}
	if _, query, ok := strings.Cut(u.RequestURI(), "?"); ok {
		last += "@" + decodedSegment(query)
	}
	if has := strings.ToLower(path.Ext(last)); ending == "" && !slices.Contains(fileEndings[kind], has) {
		ending = fileEndings[kind][0]
	}
	name := path.Join(append(parts, safePart(last+ending))...)
	if len(name) > maxName {
		name = longName(u, name)
	}
	return name
}

// longName returns the name of a page that cannot have the name that its URL gives it.
func longName(u URL, name string) string {
	host, _, _ := strings.Cut(name, "/")
	return path.Join(host, "%long", nameHash(u.String(), 32)+knownEnding(name))
}

// decodedSegment decodes what is percent-encoded, if the result is text.
func decodedSegment(s string) string {
	if text, err := url.PathUnescape(s); err == nil && utf8.ValidString(text) {
		return text
	}
	return s
}

// safePart makes a name out of one part of a path: what some system does not take is percent-encoded, and so is the
// percent sign. A part that is too long is cut, with a hash of the whole.
func safePart(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r < ' ' || r == 0x7f || strings.ContainsRune(`<>:"/\|?*%`, r),
			i == 0 && (r == '.' && strings.Trim(s, ".") == "" || s == mirrorStage),
			i == len(s)-1 && (r == '.' || r == ' '): // Windows drops these
			const digits = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(digits[r>>4])
			b.WriteByte(digits[r&15])
		case r >= 0x80 && r < 0xa0, r == 0x2028, r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			b.WriteString(url.PathEscape(string(r))) // control characters, and those that turn text around
		default:
			b.WriteRune(r)
		}
	}
	name := b.String()
	if name == "" {
		name = "%"
	}
	if reserved(name) {
		name = "_" + name
	}
	if len(name) > maxPart {
		cut := maxPart - 40
		for !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = strings.TrimRight(name[:cut], ". ") + "~" + nameHash(s, 16) + knownEnding(name)
	}
	return name
}

// reserved says whether Windows takes a name for a device, with whatever ending.
func reserved(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	base = strings.TrimRight(base, " ")
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	if port, ok := strings.CutPrefix(base, "COM"); ok || strings.HasPrefix(base, "LPT") {
		if !ok {
			port = base[len("LPT"):]
		}
		number, size := utf8.DecodeRuneInString(port)
		return size > 0 && size == len(port) && strings.ContainsRune("0123456789¹²³", number)
	}
	return false
}

// knownEnding returns the end of a name after its last dot, if it is short.
func knownEnding(name string) string {
	if ext := path.Ext(name); len(ext) <= 12 {
		return ext
	}
	return ""
}

func nameHash(s string, digits int) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:digits]
}

// folded returns what two names have in common that some file system takes for one.
func folded(name string) string { return strings.ToLower(strings.ToUpper(norm.NFC.String(name))) }

// assignNames gives each page, sorted by URL, a name that no other page has and that is no folder of another's, also where
// case does not count. A page whose plain name and bytes an earlier one has (a folder and its index.html) shares its
// file; the others are written. A page that has a name already keeps it, and its file, unless it came once more. isFolder
// says which names are folders' that an older mirror has left.
func assignNames(
	pages []mirrorLine, names map[string]string, isFolder func(name string) bool,
) (written map[string]bool) {
	type owner struct{ name, sha256 string }
	owners := map[string]owner{}
	written = map[string]bool{}
	for _, page := range pages {
		if page.Name != "" {
			names[page.URL] = page.Name
			owners[folded(page.Name)] = owner{page.Name, page.SHA256}
			written[page.URL] = !page.isFile
		}
	}
	plain := make([]string, len(pages))
	folders := map[string]bool{"index.html": true, folded(mirrorStage): true} // taken at the top
	for i, page := range pages {
		plain[i] = page.Name
		if u, err := ParseURL(page.URL); err == nil && page.Name == "" {
			plain[i] = plainName(u, fileKindOf(page.ContentType))
			for dir := path.Dir(plain[i]); dir != "."; dir = path.Dir(dir) {
				if owners[folded(dir)].name != "" { // a page is a file where a folder would have to be
					plain[i] = longName(u, plain[i])
					break
				}
			}
		}
		for dir := path.Dir(plain[i]); dir != "." && plain[i] != ""; dir = path.Dir(dir) {
			folders[folded(dir)] = true
		}
	}
	for i, page := range pages {
		if plain[i] == "" || page.Name != "" {
			continue // no page has a URL that is none; the others have theirs
		}
		name := plain[i]
		if first, ok := owners[folded(name)]; ok && first.name == name && first.sha256 == page.SHA256 && page.SHA256 != "" {
			names[page.URL] = name
			continue
		}
		for digits := 8; folders[folded(name)] || owners[folded(name)].name != "" || isFolder(name); digits *= 2 {
			ending := knownEnding(plain[i])
			name = strings.TrimSuffix(plain[i], ending) + "~" + nameHash(page.URL, min(digits, 64)) + ending
		}
		owners[folded(name)] = owner{name, page.SHA256}
		names[page.URL] = name
		written[page.URL] = true
	}
	return written
}

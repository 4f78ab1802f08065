package copy

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// A manifest is a list of files and their hashes, a line each, as sha256sum(1), b3sum and xxhsum -H2 write and read it:
// the hash in hexadecimal digits, two blanks, the name. The second blank may be a "*", which said once that the file was
// read as binary. In a name with a backslash, a newline or a carriage return these are written \\, \n and \r, and a
// backslash stands before the whole line.

// manifestEntry is one line of a manifest.
type manifestEntry struct {
	name string
	sum  []byte
}

// appendManifestLine appends the line of one file, newline included.
func appendManifestLine(b []byte, e manifestEntry) []byte {
	escaped := manifestEscaper.Replace(e.name)
	if escaped != e.name {
		b = append(b, '\\')
	}
	b = hex.AppendEncode(b, e.sum)
	b = append(b, "  "...)
	return append(append(b, escaped...), '\n')
}

var manifestEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)

var errNoManifestLine = errors.New("no line of a list of hashes")

// parseManifestLine reads one line without its newline, with a hash of h. It takes what sha256sum
// takes: blanks before the hash, either blank or "*" before the name, lines of another system, and the form that
// sha256sum --tag writes, "SHA256 (NAME) = HASH".
func parseManifestLine(line []byte, h Hash) (manifestEntry, error) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	line = bytes.TrimLeft(line, " \t")
	line, escaped := bytes.CutPrefix(line, []byte(`\`))
	e, err := parseTagged(line, h)
	if err != nil {
		e, err = parsePlain(line, h)
	}
	if err != nil || e.name == "" {
		return e, errNoManifestLine
	}
	if escaped {
		e.name, err = unescapeName(e.name)
	}
	return e, err
}

// parsePlain reads "HASH  NAME".
func parsePlain(line []byte, h Hash) (manifestEntry, error) {
	digits := 2 * h.New().Size()
	if len(line) < digits+2 {
		return manifestEntry{}, errNoManifestLine
	}
	blank, mark := line[digits], line[digits+1]
	if blank != ' ' && blank != '\t' || mark != ' ' && mark != '*' {
		return manifestEntry{}, errNoManifestLine
	}
	return sumOf(string(line[digits+2:]), line[:digits])
}

// parseTagged reads "SHA256 (NAME) = HASH".
func parseTagged(line []byte, h Hash) (manifestEntry, error) {
	tag := map[Hash]string{HashSHA256: "SHA256", HashBLAKE3: "BLAKE3", HashXXH3: "XXH128"}[h]
	rest, ok := bytes.CutPrefix(line, []byte(tag+" ("))
	end := bytes.LastIndex(rest, []byte(") = "))
	if !ok || end < 0 {
		return manifestEntry{}, errNoManifestLine
	}
	digits := rest[end+len(") = "):]
	if len(digits) != 2*h.New().Size() {
		return manifestEntry{}, errNoManifestLine
	}
	return sumOf(string(rest[:end]), digits)
}

func sumOf(name string, digits []byte) (manifestEntry, error) {
	sum, err := hex.AppendDecode(nil, digits)
	return manifestEntry{name: name, sum: sum}, err
}

// unescapeName undoes what appendManifestLine did to a name.
func unescapeName(s string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if rest == "" {
			return "", fmt.Errorf("%w: it ends with a backslash", errNoManifestLine)
		}
		switch rest[0] {
		case '\\':
			b.WriteByte('\\')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		default:
			return "", fmt.Errorf("%w: \\%c is no escape", errNoManifestLine, rest[0])
		}
		s = rest[1:]
	}
}

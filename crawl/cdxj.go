package crawl

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cdxjLine is the JSON of one line of an index, as pywb reads it: numbers are strings.
type cdxjLine struct {
	URL      string `json:"url"`
	MIME     string `json:"mime"`
	Status   string `json:"status"`
	Digest   string `json:"digest"`
	Length   string `json:"length"` // of the compressed record, in bytes
	Offset   string `json:"offset"`
	Filename string `json:"filename"`
}

const revisitMIME = "warc/revisit"

// cdxj returns the line of the index for a response.
func (r *exchangeRecords) cdxj(file string, offset int64, length int, revisit bool) []byte {
	line := cdxjLine{
		URL: r.url, MIME: r.mime, Status: strconv.Itoa(r.status), Digest: digestText(r.payload),
		Length: strconv.Itoa(length), Offset: strconv.FormatInt(offset, 10), Filename: file,
	}
	if revisit {
		line.MIME = revisitMIME
	}
	u, _ := ParseURL(r.url) // it is one's own text
	var b bytes.Buffer
	b.WriteString(surt(u) + " " + timestamp14(r.date) + " ")
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(line) // strings in a bytes.Buffer
	return b.Bytes()
}

// timestamp14 writes a WARC-Date as indexes do: 20060102150405.
func timestamp14(date string) string {
	return strings.NewReplacer("-", "", ":", "", "T", "", "Z", "").Replace(date)
}

// mimeOf returns the media type of a Content-Type, which is the server's text: without parameters, in lower case, and
// "unk" for what is none.
func mimeOf(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	if media = strings.ToLower(strings.TrimSpace(media)); media == "" || strings.ContainsAny(media, " \t\"") {
		return "unk"
	}
	return media
}

// surt returns the key under which an index lists a URL, in the sort-friendly form of the Internet Archive that pywb
// looks up: the host's labels in reverse without a leading www, path and query in lower case, the query's parts sorted,
// no slash at the end of a path. Session ids are left in.
func surt(u URL) string {
	host := u.Host()
	if _, err := netip.ParseAddr(host); err != nil {
		labels := strings.Split(strings.TrimSuffix(host, "."), ".")
		if rest := strings.TrimLeft(strings.TrimPrefix(labels[0], "www"), "0123456789"); rest == "" && len(labels) > 1 &&
			strings.HasPrefix(labels[0], "www") {
			labels = labels[1:]
		}
		slices.Reverse(labels)
		host = strings.Join(labels, ",")
	}
	if _, port, ok := strings.Cut(u.Authority()[strings.LastIndexByte(u.Authority(), ']')+1:], ":"); ok {
		host += ":" + port
	}
	path, query, hasQuery := strings.Cut(strings.ToLower(u.RequestURI()), "?")
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	if hasQuery {
		parts := strings.Split(query, "&")
		slices.Sort(parts)
		path += "?" + strings.Join(parts, "&")
	}
	return host + ")" + path
}

// original is the response that a revisit refers to.
type original struct{ url, date string }

// originalAt reads the line of the index that starts at an offset.
func (w *warc) originalAt(offset int64) (original, error) {
	line, err := bufio.NewReader(io.NewSectionReader(w.index, offset, w.index.size-offset)).ReadBytes('\n')
	if err != nil {
		return original{}, err
	}
	when, l, err := parseCDXJ(line)
	return original{url: l.URL, date: when.Format(time.RFC3339)}, err
}

func parseCDXJ(line []byte) (when time.Time, l cdxjLine, err error) {
	_, rest, _ := bytes.Cut(line, []byte(" "))
	at, text, _ := bytes.Cut(rest, []byte(" "))
	if when, err = time.Parse("20060102150405", string(at)); err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		err = fmt.Errorf("a line of the index, %.100q, is none: %w", line, err)
	}
	return when, l, err
}

// load finds the payloads of an earlier part of the run in its index. A record that is not whole counts as one too: its
// digest is of what is there.
func (s payloads) load(index *os.File, size int64) error {
	lines := bufio.NewReader(io.NewSectionReader(index, 0, size))
	empty := sha1.Sum(nil)
	for offset := int64(0); ; {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		_, l, err := parseCDXJ(line)
		if err != nil {
			return err
		}
		sum, err := base32.StdEncoding.DecodeString(strings.TrimPrefix(l.Digest, "sha1:"))
		if err != nil || len(sum) != sha1.Size {
			return fmt.Errorf("a line of the index has the digest %q", l.Digest)
		}
		if digest := [sha1.Size]byte(sum); l.MIME != revisitMIME && digest != empty {
			if _, known := s[digest]; !known {
				s.add(digest, offset)
			}
		}
		offset += int64(len(line))
	}
}

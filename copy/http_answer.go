package copy

import (
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/xxh3"
)

// version is what a server says of which bytes a URL has at a moment.
type version struct {
	etag     string // a strong one, with its quotes (RFC 9110 section 8.8.3)
	modified string // Last-Modified, as it was sent
}

// versionOf reads an answer. Last-Modified counts only if it is sure to change with the next bytes: it has no fractions of
// seconds, so that a file can change unseen within the second in which it was last changed (RFC 9110 section 8.8.2.2).
// young says that it would count if that second were over.
func versionOf(h http.Header, now time.Time) (v version, young bool) {
	if etag := h.Get("ETag"); strings.HasPrefix(etag, `"`) {
		v.etag = etag
	}
	text := h.Get("Last-Modified")
	modified, err := http.ParseTime(text)
	if err != nil {
		return v, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if age := now.Sub(modified); age >= time.Second {
		v.modified = text
	} else {
		young = age >= 0
	}
	return v, young && v.etag == ""
}

// known says whether the version can be told from others.
func (v version) known() bool { return v.etag != "" || v.modified != "" }

// condition is what If-Range takes.
func (v version) condition() string {
	if v.etag != "" {
		return v.etag
	}
	return v.modified
}

// verdict is what an answer says of the version that its bytes belong to.
type verdict int

const (
	nothing verdict = iota
	sameVersion
	otherVersion
)

// judge compares an answer's version with v.
func (v version) judge(h http.Header) verdict {
	etag, modified := h.Get("ETag"), h.Get("Last-Modified")
	switch {
	case v.etag != "" && etag != "":
		if etag == v.etag {
			return sameVersion
		}
		return otherVersion
	case v.modified != "" && modified != "":
		if modified == v.modified {
			return sameVersion
		}
		return otherVersion
	}
	return nothing
}

// identity is what the version of a URL is recognised by in a journal, whose form is that of local sources: hashes stand
// where those have numbers. There is none for a version that is not known.
func (v version) identity(url string, size int64) *identity {
	if !v.known() || size < 0 {
		return nil
	}
	id := identity{ino: xxh3.HashString("url\x00" + url), size: size, ctime: int64(xxh3.HashString(v.condition()))}
	if t, err := http.ParseTime(v.modified); err == nil {
		id.mtime = t.UnixNano()
	}
	return &id
}

// identityAt is identity for a file at a URL. A strong ETag and a size are enough to tell files at one path from one another:
// the query does not count then, which in a signed URL is another one each time, and neither does the time.
func (v version) identityAt(u *url.URL, size int64) *identity {
	at := withoutUser(u)
	at.Host = strings.ToLower(at.Host)
	if v.etag != "" {
		v.modified = ""
		at.RawQuery, at.ForceQuery = "", false
	}
	return v.identity(at.String(), size)
}

// contentRange is what a 206 or 416 says of the bytes that it has (RFC 9110 section 14.4).
type contentRange struct {
	off, end int64 // end is behind the last byte; both are 0 in an answer without bytes
	size     int64 // of the whole; below zero if it is not said
}

// parseContentRange returns false for what is no range of bytes.
func parseContentRange(s string) (contentRange, bool) {
	unit, rest, _ := strings.Cut(s, " ")
	span, total, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return contentRange{}, false
	}
	r := contentRange{size: -1}
	if total != "*" {
		if r.size, ok = parseBytes(total); !ok {
			return contentRange{}, false
		}
	}
	if span == "*" {
		return r, r.size >= 0
	}
	first, last, _ := strings.Cut(span, "-")
	off, ok1 := parseBytes(first)
	end, ok2 := parseBytes(last)
	if !ok1 || !ok2 || end < off || r.size >= 0 && end >= r.size {
		return contentRange{}, false
	}
	r.off, r.end = off, end+1
	return r, true
}

// hasAll says whether an answer that nobody has asked a range of has the whole file as one.
func hasAll(r *http.Response) bool {
	got, ok := parseContentRange(r.Header.Get("Content-Range"))
	return r.StatusCode == http.StatusPartialContent && ok && got.off == 0 && got.end > 0 && got.end == got.size
}

// parseBytes reads decimal digits and nothing else.
func parseBytes(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 62)
	return int64(n), err == nil
}

// codingOf returns the content coding of an answer, which is empty for none. A file that is compressed itself, and that a
// server so calls, has none: its bytes are what is wanted.
func codingOf(h http.Header, urlPath string) (coding string, ofFile bool) {
	coding = strings.ToLower(strings.TrimSpace(strings.Join(h.Values("Content-Encoding"), ", ")))
	if coding == "" || coding == "identity" {
		return "", false
	}
	ends := map[string]string{
		"gzip": ".gz .tgz .svgz", "x-gzip": ".gz .tgz .svgz", "br": ".br", "zstd": ".zst", "compress": ".z", "x-compress": ".z",
	}
	end := strings.ToLower(path.Ext(urlPath))
	return coding, end != "" && strings.Contains(" "+ends[coding]+" ", " "+end+" ")
}

package crawl

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"time"
)

// visit is what is known of a page that was fetched, for a recrawl to ask only whether it has changed (RFC 9110,
// section 13). The zero visit knows nothing.
type visit struct {
	final        string // the URL that answered, if redirects led away from the first
	etag         string
	lastModified string // as the server wrote it
	sha256       [32]byte
	archive      archiveRecord
}

// archiveRecord is the record that a WARC file has of a page. The zero value stands for none.
type archiveRecord struct {
	seconds int64 // of its date, since 1970
	payload [sha1.Size]byte
}

func (a archiveRecord) date() string { return time.Unix(a.seconds, 0).UTC().Format(time.RFC3339) }

// maxValidator is the longest ETag or Last-Modified that is kept, in bytes.
const maxValidator = 256

// validator returns a response header that is kept, or nothing if it is absurdly long.
func validator(h http.Header, name string) string {
	if value := h.Get(name); len(value) <= maxValidator {
		return value
	}
	return ""
}

// condition returns what an item's answer is to be compared with, or nil if its whole page is wanted: links can be
// rewritten, checked and listed only where there is a body, and an archive has each page whole at least once.
func (c *crawler) condition(it *item) *visit {
	v := it.visit
	switch {
	case v == nil || c.whole || it.check || v.etag == "" && v.lastModified == "":
		return nil
	case c.needsBodies() || c.o.WARC != "" && v.archive == (archiveRecord{}):
		return nil
	case v.finalOf(it) != it.url.String():
		return nil // a redirect on the way, or to another page than before
	}
	return v
}

// needsBodies says whether an output would be incomplete without the bodies of pages that have not changed.
func (c *crawler) needsBodies() bool { return c.o.Mirror != "" || c.o.CheckLinks || c.o.Graph != "" }

// finalOf returns the URL that answered.
func (v *visit) finalOf(it *item) string {
	if v.final == "" {
		return it.first
	}
	return v.final
}

// ask makes a request one for a page only if it has changed. A server that knows ETags looks at nothing else (RFC 9110,
// section 13.1.3).
func (v *visit) ask(req *http.Request) {
	req.Header = req.Header.Clone() // all requests share it
	if v.etag != "" {
		req.Header.Set("If-None-Match", v.etag)
	}
	if v.lastModified != "" {
		req.Header.Set("If-Modified-Since", v.lastModified)
	}
}

// visited returns what is now known of a page, or nil if its answer says nothing new.
func (c *crawler) visited(p *closing) *visit {
	r, it := p.response, p.item
	switch {
	case c.state == nil || r == nil || r.status == 0 || it.check || !it.isPage():
		return nil
	case p.unchanged != nil:
		v := *p.unchanged
		if etag := validator(r.header, "ETag"); etag != "" { // it may say more (RFC 9110, section 15.4.5)
			v.etag = etag
		}
		if at := validator(r.header, "Last-Modified"); at != "" {
			v.lastModified = at
		}
		return &v
	case p.failure != nil:
		return nil // the page may be what it was
	case r.status != http.StatusOK || r.hash == "":
		return &visit{}
	}
	v := &visit{etag: validator(r.header, "ETag"), lastModified: validator(r.header, "Last-Modified")}
	if final := it.url.String(); final != it.first {
		v.final = final
	}
	_, _ = hex.Decode(v.sha256[:], []byte(r.hash)) // our own text
	if w := r.wire; w != nil && w.whole {
		v.archive = archiveRecord{seconds: r.at.Unix(), payload: sha1.Sum(w.body.Bytes())}
	}
	return v
}

// takeUnchanged notes in a closing that its page is what it was.
func (c *crawler) takeUnchanged(p *closing) {
	if p.response.status != http.StatusNotModified || p.response.err != nil {
		return
	}
	if p.unchanged = c.condition(p.item); p.unchanged != nil && p.record != nil {
		p.record.SHA256 = hex.EncodeToString(p.unchanged.sha256[:])
	}
}

// appendVisit packs a visit.
func appendVisit(b []byte, v *visit) []byte {
	b = appendString(b, v.final)
	b = appendString(b, v.etag)
	b = appendString(b, v.lastModified)
	b = append(b, v.sha256[:]...)
	b = binary.AppendVarint(b, v.archive.seconds)
	if v.archive.seconds != 0 {
		b = append(b, v.archive.payload[:]...)
	}
	return b
}

// visit is the reverse of appendVisit.
func (r *reader) visit() *visit {
	v := &visit{final: r.text(), etag: r.text(), lastModified: r.text()}
	copy(v.sha256[:], r.skip(len(v.sha256)))
	if v.archive.seconds = r.varint(); v.archive.seconds != 0 {
		copy(v.archive.payload[:], r.skip(len(v.archive.payload)))
	}
	return v
}

// appendVisited packs a page that is done as what a recrawl fetches: from where it began, with what is known of it.
func appendVisited(b []byte, it *item, v *visit) ([]byte, error) {
	again := item{
		url: it.url, first: it.first, referrer: it.referrer, depth: it.depth, seed: it.seed,
		requisite: it.requisite, lastMod: it.lastMod, visit: v,
	}
	if it.first != it.url.String() {
		u, err := ParseURL(it.first)
		if err != nil {
			return nil, err
		}
		again.url = u
	}
	return appendItem(b, &again), nil
}

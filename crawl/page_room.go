package crawl

import (
	"bytes"
	"errors"
	"reflect"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// What is made of a page takes memory too, often more than the page: these say how much. They are bounds where a server
// decides, and about right for what pages are like. A small page needs no bound before it is scanned, for that is over in
// less time than the runtime gives a goroutine.

var (
	scannedRoom = 2 * sizeOf[Link]() // what the scanner knows of a link, in a slice that grows
	// linkRoom is what a link takes beside its text: what the scanner knows of it, the item for what it leads to, that item
	// as the frontier takes it, and its slots in sets.
	linkRoom = sizeOf[item]() + scannedRoom + sizeOf[URL]() + 4*sizeOf[linkSlot]() + 64
)

const (
	// smallText is the size of a page below which scanning it takes next to nothing.
	smallText = 256 << 10
	leastLink = len("<a href=x>")
)

func sizeOf[T any]() int64 { return int64(reflect.TypeFor[T]().Size()) }

// scanRoom returns how many bytes scanning a text takes.
func scanRoom(text []byte) int64 {
	if len(text) <= smallText {
		return 0
	}
	links := int64(min(len(text)/leastLink, maxLinks))
	return 2*int64(min(len(text), maxPageText)) + links*scannedRoom
}

// linksRoom returns how many bytes following and writing the links of a page takes.
func (c *crawler) linksRoom(page *Page, base URL) int64 {
	var written int
	for i := range page.Links {
		written += len(page.Links[i].URL) + len(page.Links[i].Text)
	}
	links := int64(len(page.Links))
	whole := min(int64(written)+links*int64(base.query), maxPageText)
	return links*linkRoom + 3*whole + int64(written)
}

// styleRoom returns how many bytes the links of a style sheet take.
func styleRoom(css []byte) int64 {
	return int64(min(bytes.Count(css, []byte("url("))+bytes.Count(css, []byte("@")), maxLinks))*linkRoom +
		2*int64(min(len(css), maxPageText))
}

// sitemapRoom returns how many bytes the entries of a sitemap take.
func sitemapRoom(body []byte) int64 {
	size := len(body)
	if bytes.HasPrefix(body, []byte("\x1f\x8b")) {
		size = maxSitemap
	}
	return int64(min(size/len("<loc>"), maxSitemapURLs))*linkRoom + int64(size)
}

// How many times its body the outputs make of a page at most.
const (
	warcCopies   = 5 // the record, compressed, once more to be written at once, and the library's own buffers
	mirrorCopies = 1
)

// takeForOutputs takes the room that the outputs need of an exchange.
func (c *crawler) takeForOutputs(r *response) error {
	var n int
	if r.wire != nil {
		n += warcCopies * (r.wire.body.Len() + len(r.wire.Response))
	}
	if c.o.Mirror != "" {
		n += mirrorCopies * len(r.body)
	}
	return r.takeRoom(int64(n))
}

// text returns the body in UTF-8, as toUTF8 does, and has room for it.
func (r *response) text() ([]byte, string, error) {
	body, name, e := encodingOf(r.body, r.contentType)
	if e == nil {
		return body, name, nil
	}
	if len(body) <= smallText {
		decoded, _ := e.NewDecoder().Bytes(body) // as toUTF8
		return decoded, name, nil
	}
	size := decodedSize(e, body)
	if err := r.takeRoom(int64(size)); err != nil {
		return nil, "", err
	}
	// Of the decoder's own way to grow a buffer, three times of this would be left.
	decoded := make([]byte, size)
	n, _, _ := e.NewDecoder().Transform(decoded, body, true)
	return decoded[:n], name, nil
}

// decodedSize returns how many bytes a document has in UTF-8, and a few more: decoders want room for any character.
func decodedSize(e encoding.Encoding, body []byte) int {
	var scratch [16 << 10]byte
	size := 0
	for d := e.NewDecoder(); ; {
		written, read, err := d.Transform(scratch[:], body, true)
		size += written
		body = body[read:]
		if !errors.Is(err, transform.ErrShortDst) {
			return size + 2*4
		}
	}
}

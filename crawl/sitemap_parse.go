package crawl

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// The bounds of one sitemap, compressed or not (sitemaps.org, protocol 0.9). What is beyond them is not read.
const (
	maxSitemap     = 50 << 20
	maxSitemapURLs = 50_000
)

var (
	errSitemapSize = errors.New("the sitemap has more than 50 MiB: the rest is not read")
	errSitemapURLs = errors.New("the sitemap has more than 50,000 URLs: the rest is not read")
)

// sitemapEntry is one URL that a sitemap holds.
type sitemapEntry struct {
	loc     string
	lastMod string // as it is written there, if it is a date
	sitemap bool   // the URL is a sitemap's
}

// parseSitemap reads a sitemap to its end and tells found of each entry. It may be XML (a urlset, a sitemapindex, RSS 2 or
// Atom), a text of one URL a line, and either of them compressed with gzip. XML is read as it comes, in bounded memory
// and without complaint: what encoding/xml accepts is read to the same effect. The error is the reader's, found's,
// errSitemapSize or errSitemapURLs; what came before it has been told.
func parseSitemap(r io.Reader, found func(sitemapEntry) error) error {
	return parseSitemapUpTo(maxSitemap, r, found)
}

// parseSitemapUpTo is parseSitemap for sitemaps of so many bytes at most.
func parseSitemapUpTo(size int64, r io.Reader, found func(sitemapEntry) error) error {
	in := bufio.NewReaderSize(&cutReader{r: r, left: size}, 32<<10)
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		zr, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		in = bufio.NewReaderSize(&cutReader{r: zr, left: size}, 32<<10)
	}
	// A byte order mark may say UTF-16. Without one it is UTF-8, as the protocol has it.
	text := bufio.NewReaderSize(transform.NewReader(in, unicode.BOMOverride(encoding.Nop.NewDecoder())), 32<<10)
	n := 0
	bounded := func(e sitemapEntry) error {
		if n++; n > maxSitemapURLs {
			return errSitemapURLs
		}
		return found(e)
	}
	start, err := skipSpace(text)
	switch {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	case start == '<':
		return (&sitemapXML{r: text, found: bounded}).parse()
	}
	return parseSitemapText(text, bounded)
}

// cutReader fails when more than a number of bytes is read.
type cutReader struct {
	r    io.Reader
	left int64
}

func (c *cutReader) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errSitemapSize
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// skipSpace returns the first byte that is no white space, unread.
func skipSpace(r *bufio.Reader) (byte, error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if strings.IndexByte(whiteSpace, b) < 0 {
			return b, r.UnreadByte()
		}
	}
}

// parseSitemapText reads one URL a line, and passes over lines that are none.
func parseSitemapText(r *bufio.Reader, found func(sitemapEntry) error) error {
	var line []byte
	for {
		part, more, err := r.ReadLine()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if len(line) <= maxReference {
			line = append(line, part...)
		}
		if more {
			continue
		}
		if url := string(bytes.TrimSpace(line)); len(line) <= maxReference && isHTTP(url) {
			if err := found(sitemapEntry{loc: url}); err != nil {
				return err
			}
		}
		line = line[:0]
	}
}

func isHTTP(url string) bool {
	scheme, ok := schemeOf(url)
	return ok && (scheme == "http" || scheme == "https")
}

// lastModOf returns a date as it is written, if it is one of the W3C's formats.
func lastModOf(text string) string {
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01", "2006"} {
		if _, err := time.Parse(layout, text); err == nil {
			return text
		}
	}
	return ""
}

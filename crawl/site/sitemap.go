package site

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// What one sitemap may have (sitemaps.org, protocol 0.9).
const (
	maxSitemapURLs  = 50_000
	maxSitemapBytes = 50 << 20 // not compressed
)

// listing is a sitemap or an index of them.
type listing struct {
	element, child string // as <urlset><url>
	before, after  []byte // around each path
}

func newListing(r *http.Request, element, child string) listing {
	var base bytes.Buffer
	_ = xml.EscapeText(&base, []byte(origin(r))) // a Buffer takes all
	return listing{
		element: element, child: child,
		before: []byte("<" + child + "><loc>" + base.String()),
		after:  []byte("</loc></" + child + ">\n"),
	}
}

// sitemap answers /sitemap.xml with all pages, or, where one sitemap may not hold them, with an index of /sitemap-1.xml
// and so on. Each of these is there compressed too, under a name that ends with .gz.
func (s *Site) sitemap(w http.ResponseWriter, r *http.Request) {
	name, zipped := strings.CutSuffix(r.PathValue("sitemap"), ".gz")
	pages := newListing(r, "urlset", "url")
	each := s.perSitemap(pages)
	parts := (s.o.Pages-1)/each + 1
	if name == "sitemap.xml" && parts > 1 {
		s.write(w, r, zipped, newListing(r, "sitemapindex", "sitemap"), func(add func([]byte)) {
			for n := range parts {
				add([]byte("/sitemap-" + strconv.Itoa(n+1) + s.sitemapSuffix()))
			}
		})
		return
	}
	first, end := 0, s.o.Pages
	if name != "sitemap.xml" {
		n, ok := partNumber(name)
		if !ok || n > parts || parts == 1 {
			http.NotFound(w, r)
			return
		}
		first, end = (n-1)*each, min(n*each, s.o.Pages)
	}
	s.write(w, r, zipped, pages, func(add func([]byte)) {
		var path []byte
		for n := first; n < end; n++ {
			path = appendPath(path[:0], n)
			add(path)
		}
	})
}

// perSitemap returns how many pages each sitemap has. A long host name leaves room for fewer.
func (s *Site) perSitemap(pages listing) int {
	const frame = 200 // what stands around them
	longest := len(pages.before) + len(appendPath(nil, s.o.Pages)) + len(pages.after)
	return min(s.o.SitemapURLs, (maxSitemapBytes-frame)/longest)
}

// sitemapSuffix is how the names end that robots.txt and the index name.
func (s *Site) sitemapSuffix() string {
	if s.o.Gzip {
		return ".xml.gz"
	}
	return ".xml"
}

// partNumber reads the N of sitemap-N.xml.
func partNumber(name string) (int, bool) {
	text, ok := strings.CutPrefix(name, "sitemap-")
	text, ok2 := strings.CutSuffix(text, ".xml")
	n, err := strconv.Atoi(text)
	return n, ok && ok2 && err == nil && n > 0 && strconv.Itoa(n) == text
}

// write answers with a listing of each path that list adds: as a file that is compressed, or else with whatever coding the
// client accepts.
func (s *Site) write(w http.ResponseWriter, r *http.Request, zipped bool, l listing, list func(add func(path []byte))) {
	h := w.Header()
	h.Set("Content-Type", "application/xml; charset=utf-8")
	if zipped {
		h.Set("Content-Type", "application/gzip")
	}
	buffered := bufio.NewWriterSize(w, 32<<10)
	if zipped || s.compressed(w, r) {
		zipTo(buffered, func(w io.Writer) { l.write(w, list) })
	} else {
		l.write(buffered, list)
	}
	_ = buffered.Flush() // an error means that the client has left
}

func (l listing) write(w io.Writer, list func(add func(path []byte))) {
	_, _ = io.WriteString(w, xml.Header+"<"+l.element+` xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`+"\n")
	var entry []byte
	list(func(path []byte) {
		entry = append(append(append(entry[:0], l.before...), path...), l.after...)
		_, _ = w.Write(entry) // the error is the Flush's too
	})
	_, _ = io.WriteString(w, "</"+l.element+">\n")
}

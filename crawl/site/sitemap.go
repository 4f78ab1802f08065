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

// sitemapURLs is the most URLs that one sitemap may have (sitemaps.org, protocol 0.9).
const sitemapURLs = 50_000

// robots answers /robots.txt.
func (s *Site) robots(w http.ResponseWriter, r *http.Request) {
	text := s.o.Robots
	if text == "" {
		text = "User-agent: *\nDisallow:\n\nSitemap: " + origin(r) + "/sitemap.xml\n"
	}
	writeText(w, http.StatusOK, text)
}

// sitemap answers /sitemap.xml with all pages, or, where one sitemap may not hold them, with an index of /sitemap-1.xml
// and so on.
func (s *Site) sitemap(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("sitemap")
	parts := (s.o.Pages + sitemapURLs - 1) / sitemapURLs
	if name == "sitemap.xml" {
		if parts == 1 {
			writePages(w, r, 0, s.o.Pages)
		} else {
			writeIndex(w, r, parts)
		}
		return
	}
	number, ok := strings.CutPrefix(name, "sitemap-")
	number, ok2 := strings.CutSuffix(number, ".xml")
	n, err := strconv.Atoi(number)
	if !ok || !ok2 || err != nil || n < 1 || n > parts || parts == 1 {
		http.NotFound(w, r)
		return
	}
	writePages(w, r, (n-1)*sitemapURLs, min(n*sitemapURLs, s.o.Pages))
}

// writePages writes a sitemap of the pages from first up to, but not including, end.
func writePages(w http.ResponseWriter, r *http.Request, first, end int) {
	writeXML(w, r, "urlset", "url", func(add func(path []byte)) {
		var path []byte
		for n := first; n < end; n++ {
			path = appendPath(path[:0], n)
			add(path)
		}
	})
}

// writeIndex writes the index of that many sitemaps.
func writeIndex(w http.ResponseWriter, r *http.Request, parts int) {
	writeXML(w, r, "sitemapindex", "sitemap", func(add func(path []byte)) {
		for n := range parts {
			add([]byte("/sitemap-" + strconv.Itoa(n+1) + ".xml"))
		}
	})
}

// writeXML writes an element with one child of the name for each path that list adds.
func writeXML(w http.ResponseWriter, r *http.Request, element, child string, list func(add func(path []byte))) {
	var base bytes.Buffer
	_ = xml.EscapeText(&base, []byte(origin(r))) // a Buffer takes all
	before := []byte("<" + child + "><loc>" + base.String())
	after := []byte("</loc></" + child + ">\n")

	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	b := bufio.NewWriterSize(w, 32<<10)
	_, _ = io.WriteString(b, xml.Header+"<"+element+` xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`+"\n")
	list(func(path []byte) {
		for _, part := range [][]byte{before, path, after} {
			_, _ = b.Write(part) // Flush returns the first error
		}
	})
	_, _ = io.WriteString(b, "</"+element+">\n")
	_ = b.Flush() // an error means that the client has left
}

// origin returns the scheme and host under which the client knows the site.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

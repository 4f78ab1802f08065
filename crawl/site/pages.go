package site

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// root answers / with page 0.
func (s *Site) root(w http.ResponseWriter, r *http.Request) { s.writePage(w, r, 0) }

// page answers /p/N.
func (s *Site) page(w http.ResponseWriter, r *http.Request) {
	text := r.PathValue("n")
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < 0 || n >= s.o.Pages || strconv.Itoa(n) != text:
		// 007 and +7 would be further names of page 7.
		http.NotFound(w, r)
	case n == 0:
		http.Redirect(w, r, "/", http.StatusMovedPermanently)
	default:
		s.writePage(w, r, n)
	}
}

// buffers holds *[]byte for pages.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (s *Site) writePage(w http.ResponseWriter, r *http.Request, n int) {
	if !s.ready(w, r, uint64(n)) {
		return
	}
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	*b = s.appendPage((*b)[:0], n)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if s.compressed(w, r) {
		smaller := buffers.Get().(*[]byte)
		defer buffers.Put(smaller)
		*smaller = appendGzip((*smaller)[:0], *b)
		b = smaller
	}
	h.Set("Content-Length", strconv.Itoa(len(*b)))
	_, _ = w.Write(*b) // an error means that the client has left
}

const (
	head = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>"
	foot = "</body>\n</html>\n"

	openParagraph, closeParagraph = "<p>", "</p>\n"
	maxParagraph                  = 1 << 10
)

// appendPage appends page n to b.
func (s *Site) appendPage(b []byte, n int) []byte {
	start := len(b)
	b = append(b, head...)
	b = s.appendTitle(b, n)
	b = append(b, "</title>\n</head>\n<body>\n<h1>"...)
	b = s.appendTitle(b, n)
	b = append(b, "</h1>\n<ul>\n"...)
	end := start + s.o.PageSize - len("</ul>\n") - len(foot)
	b = s.appendLinks(b, n, end)
	b = append(b, "</ul>\n"...)
	b = s.appendText(b, n, start+s.o.PageSize-len(foot)-len(b))
	return append(b, foot...)
}

func (s *Site) appendTitle(b []byte, n int) []byte {
	b = append(b, "Page "...)
	b = strconv.AppendInt(b, int64(n), 10)
	b = append(b, " of "...)
	return strconv.AppendInt(b, int64(s.o.Pages), 10)
}

// appendLinks appends the links of page n. Page n has the next pages in breadth-first order as children, always, which
// is how each page is reached; the others lead anywhere, and only as long as b stays within end bytes.
func (s *Site) appendLinks(b []byte, n, end int) []byte {
	children := 0
	if n <= (s.o.Pages-1)/s.fanOut { // else the product could overflow
		first := n*s.fanOut + 1
		children = max(0, min(s.fanOut, s.o.Pages-first))
		for i := range children {
			b = appendLink(b, first+i)
		}
	}
	for i := children; i < s.o.Links; i++ {
		to := mix(s.o.Seed, forLinks, uint64(n), uint64(i)) % uint64(s.o.Pages)
		longer := appendLink(b, int(to))
		if len(longer) > end {
			break
		}
		b = longer
	}
	return b
}

func appendLink(b []byte, n int) []byte {
	b = append(b, `<li><a href="`...)
	b = appendPath(b, n)
	b = append(b, `">Page `...)
	b = strconv.AppendInt(b, int64(n), 10)
	return append(b, "</a></li>\n"...)
}

// appendPath appends the path of page n.
func appendPath(b []byte, n int) []byte {
	if n == 0 {
		return append(b, '/')
	}
	b = append(b, "/p/"...)
	return strconv.AppendInt(b, int64(n), 10)
}

// appendText appends exactly room bytes of paragraphs.
func (s *Site) appendText(b []byte, n, room int) []byte {
	const tags = len(openParagraph) + len(closeParagraph)
	for i := uint64(0); room > 0; i++ {
		size := min(room, maxParagraph)
		room -= size
		if size < tags {
			return append(b, "\n\n\n\n\n\n\n\n"[:size]...)
		}
		size -= tags
		from := int(mix(s.o.Seed, forText, uint64(n), i) % uint64(len(s.words)-size))
		b = append(b, openParagraph...)
		b = append(b, s.words[from:from+size]...)
		b = append(b, closeParagraph...)
	}
	return b
}

// words returns the text that paragraphs are cut from.
func words(seed uint64) string {
	vocabulary := strings.Fields(`the of one and to a page site link wait disk peer thread event chunk rate host time
		reads writes sends answers when where under over many few each while before after until again quiet early late`)
	var b strings.Builder
	for i := uint64(0); b.Len() < 64<<10; i++ {
		z := mix(seed, forWords, i)
		b.WriteString(vocabulary[z%uint64(len(vocabulary))])
		b.WriteByte(' ')
	}
	return b.String()
}

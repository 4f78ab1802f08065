package site

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
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

func (s *Site) writePage(w http.ResponseWriter, r *http.Request, n int) {
	if !s.ready(w, r, uint64(n)) {
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	p := s.newPage(n)
	if s.compressed(w, r) {
		p.sendZipped(w)
		return
	}
	h.Set("Content-Length", strconv.Itoa(p.size()))
	p.send(w)
}

// page is a page of which the beginning is made, up to its text.
type page struct {
	site  *Site
	n     int
	b     *[]byte // from buffers
	piece int     // about how much of it to send at a time
	room  int     // bytes of the text
}

func (s *Site) newPage(n int) page {
	b := buffers.Get().(*[]byte)
	piece := s.pieceSize()
	*b = slices.Grow((*b)[:0], min(s.o.PageSize, piece+maxParagraph))
	*b = s.appendTop(*b, n)
	return page{site: s, n: n, b: b, piece: piece, room: max(0, s.o.PageSize-len(*b)-len(foot))}
}

// size returns the length of the whole page. It is to be called before send.
func (p page) size() int { return len(*p.b) + p.room + len(foot) }

// send writes the whole page, or as much as w takes: an error means that the client has left.
func (p page) send(w io.Writer) {
	defer buffers.Put(p.b)
	for i := 0; p.room > 0; i++ {
		part := min(p.room, maxParagraph)
		p.room -= part
		*p.b = p.site.appendParagraph(*p.b, p.n, i, part)
		if len(*p.b) >= p.piece {
			if _, err := w.Write(*p.b); err != nil {
				return
			}
			*p.b = (*p.b)[:0]
		}
	}
	*p.b = append(*p.b, foot...)
	_, _ = w.Write(*p.b)
}

const (
	head = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>"
	foot = "</body>\n</html>\n"

	openParagraph, closeParagraph = "<p>", "</p>\n"
	maxParagraph                  = 1 << 10
)

// appendTop appends what stands on page n before its text.
func (s *Site) appendTop(b []byte, n int) []byte {
	start := len(b)
	b = append(b, head...)
	b = s.appendTitle(b, n)
	b = append(b, "</title>\n</head>\n<body>\n<h1>"...)
	b = s.appendTitle(b, n)
	b = append(b, "</h1>\n<ul>\n"...)
	end := start + s.o.PageSize - len("</ul>\n") - len(foot)
	b = s.appendLinks(b, n, end)
	return append(b, "</ul>\n"...)
}

func (s *Site) appendTitle(b []byte, n int) []byte {
	b = append(b, "Page "...)
	b = strconv.AppendInt(b, int64(n), 10)
	b = append(b, " of "...)
	return strconv.AppendInt(b, int64(s.o.Pages), 10)
}

// appendLinks appends the links of page n. Page n has the next pages in breadth-first order as children, always, which
// is how each page is reached; the others lead elsewhere, and only as long as b stays within end bytes.
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
		longer := appendLink(b, s.other(n, i, i == children))
		if len(longer) > end {
			break
		}
		b = longer
	}
	return b
}

// other returns where the i-th link of page n leads, which is not needed to reach a page. Without Depth that is anywhere.
//
// With Depth the first leads to the page above n, and so in the end to /, and the others to the children of one of the pages
// above n. Whoever has found n has found those, in whatever order it
// follows links. A link to anywhere would be a longer way, by which a crawler that has many pages in flight may find a page
// first, and then it would take it for deeper than it is.
func (s *Site) other(n, i int, first bool) int {
	z := mix(s.o.Seed, forLinks, uint64(n), uint64(i))
	if s.o.Depth <= 0 {
		return int(z % uint64(s.o.Pages))
	}
	if first {
		return max(0, n-1) / s.fanOut
	}
	const most = 8
	for range 1 + z%most {
		n = max(0, n-1) / s.fanOut
	}
	child := n*s.fanOut + 1 + int(z/most%uint64(s.fanOut))
	return min(child, s.o.Pages-1) // the last page is a child too then
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

// appendParagraph appends the i-th paragraph of page n, of exactly size bytes.
func (s *Site) appendParagraph(b []byte, n, i, size int) []byte {
	const tags = len(openParagraph) + len(closeParagraph)
	if size < tags {
		return append(b, "\n\n\n\n\n\n\n\n"[:size]...)
	}
	size -= tags
	from := int(mix(s.o.Seed, forText, uint64(n), uint64(i)) % uint64(len(s.words)-size))
	b = append(b, openParagraph...)
	b = append(b, s.words[from:from+size]...)
	return append(b, closeParagraph...)
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

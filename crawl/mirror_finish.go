package crawl

import (
	"bufio"
	"bytes"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
)

// mirrorFiles is what a mirror holds: the file of each URL.
type mirrorFiles struct {
	names     map[string]string // by URL
	locations map[string]string // where redirects lead
}

// file returns the file of a URL, or of where it redirects to.
func (f *mirrorFiles) file(url string) (name string, ok bool) {
	for range maxRedirects + 1 {
		if name, ok = f.names[url]; ok {
			return name, true
		}
		if url, ok = f.locations[url]; !ok {
			return "", false
		}
	}
	return "", false
}

// finish names all pages and writes them. It goes through them in the order of their URLs, so that the result does not
// depend on which came first.
func (m *mirror) finish() error {
	lines, err := m.lines()
	if err != nil {
		return err
	}
	slices.SortStableFunc(lines, func(a, b mirrorLine) int { return strings.Compare(a.URL, b.URL) })
	files := &mirrorFiles{names: map[string]string{}, locations: map[string]string{}}
	var pages, hops []mirrorLine
	var seeds []string
	for _, l := range lines {
		if l.Seed {
			seeds = append(seeds, l.URL)
		}
		if l.Location != "" {
			if _, known := files.locations[l.URL]; !known {
				hops = append(hops, l)
			}
			files.locations[l.URL] = l.Location
		} else if n := len(pages); n > 0 && pages[n-1].URL == l.URL {
			l.Name = pages[n-1].Name
			pages[n-1] = l // it came twice; the later one counts
		} else {
			pages = append(pages, l)
		}
	}
	written := assignNames(pages, files.names, m.isFolder)
	for _, l := range pages {
		if !written[l.URL] {
			continue // another one with the same bytes has this name
		}
		if err := m.write(l, files); err != nil {
			return err
		}
	}
	if err := m.writeStart(seeds, files); err != nil || !m.again {
		return err
	}
	return m.writeNames(append(pages, hops...), files.names)
}

// write writes one page.
func (m *mirror) write(l mirrorLine, files *mirrorFiles) error {
	u, err := ParseURL(l.URL)
	if err != nil {
		return err
	}
	name := files.names[l.URL]
	r := rewriter{files: files, page: u, name: name, canonical: m.canonical}
	body := io.NewSectionReader(m.bodies, l.Offset, l.Size)
	kind := fileKindOf(l.ContentType)
	return m.replace(name, func(w *bufio.Writer) error {
		if kind != fileHTML && kind != fileCSS {
			_, err := io.Copy(w, body)
			return err
		}
		text, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		if kind == fileCSS {
			text = r.css(text)
		} else {
			text = r.html(text, l.ContentType)
		}
		_, err = w.Write(text)
		return err
	})
}

// writeStart writes index.html at the top, which leads to where the crawl began.
func (m *mirror) writeStart(seeds []string, files *mirrorFiles) error {
	var list bytes.Buffer
	var first string
	n := 0
	for _, seed := range slices.Compact(seeds) {
		name, ok := files.file(seed)
		if !ok {
			continue
		}
		link := html.EscapeString(escapePath(name))
		if n++; n == 1 {
			first = link
		}
		fmt.Fprintf(&list, "<li><a href=\"%s\">%s</a></li>\n", link, html.EscapeString(seed))
	}
	if info, err := m.root.Lstat("index.html"); n == 0 || err == nil && info.IsDir() {
		return nil // the folder of a host with this name
	}
	refresh := ""
	if n == 1 {
		refresh = "<meta http-equiv=\"refresh\" content=\"0; url='" + first + "'\">\n"
	}
	return m.replace("index.html", func(w *bufio.Writer) error {
		_, err := fmt.Fprintf(w, "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n%s<title>Mirror</title>\n<ul>\n%s</ul>\n",
			refresh, list.Bytes())
		return err
	})
}

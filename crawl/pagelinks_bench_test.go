package crawl

import (
	"fmt"
	"strings"
	"testing"
)

// A page of a site, most of whose 40 links lead to pages that are known.
func BenchmarkPage(b *testing.B) {
	c, _, err := newCrawler(Options{Seeds: []string{"http://example.com/"}, Depth: 5})
	if err != nil {
		b.Fatal(err)
	}
	defer c.client.Close()
	c.scope["example.com"] = true
	var body strings.Builder
	body.WriteString("<!DOCTYPE html><title>A page</title>")
	for i := range 40 {
		fmt.Fprintf(&body, "<p>Some words about <a href=\"/p%d.html\">page %d</a> and more text.</p>\n", i*37, i)
	}
	body.WriteString(strings.Repeat("More words, without any link, to the end of the page. ", 16<<10/54-70))
	page := item{url: mustURL(b, "http://example.com/p1.html"), first: "http://example.com/p1.html"}
	r := &response{status: 200, contentType: "text/html", body: []byte(body.String())}
	var reader pageReader
	p := &closing{item: &page, response: r}
	for n := range 2 {
		p.record = c.record(&page, r)
		children, err := c.scanPage(&reader, p)
		if err != nil {
			b.Fatal(err)
		}
		if want := 40 * (1 - n); len(children) != want || len(p.record.Links) != 40 {
			b.Fatalf("%d pages and %d links, want %d and 40", len(children), len(p.record.Links), want)
		}
		if err := c.frontier.commit([]*change{{found: c.discovered(b.Context(), children)}}, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		p.record = c.record(&page, r)
		if _, err := c.scanPage(&reader, p); err != nil {
			b.Fatal(err)
		}
	}
}

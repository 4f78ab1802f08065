package crawl

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// benchmarkPage has 40 links in 16 KiB, with the text and the tags that pages have around them.
func benchmarkPage() []byte {
	var b bytes.Buffer
	b.WriteString(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A page</title>` +
		`<link rel="stylesheet" href="/style.css" type="text/css"></head><body class="page">`)
	text := strings.Repeat("Some words of text that a page is made of, for people to read. ", 5)
	for i := range 40 {
		fmt.Fprintf(&b, `<div class="section" id="s%d"><h2>Heading</h2><p>%s <a class="link" href="/docs/page-%d.html?a=1&amp;b=2">`+
			`a <em>link</em></a>.</p><br/></div>`+"\n", i, text[:260], i)
	}
	b.WriteString("</body></html>")
	return b.Bytes()
}

func BenchmarkScan(b *testing.B) {
	page := benchmarkPage()
	b.Run("scanner", func(b *testing.B) {
		var s scanner
		b.SetBytes(int64(len(page)))
		b.ReportAllocs()
		for b.Loop() {
			if got := s.scan(page, scanOptions{}); len(got.Links) != 40 {
				b.Fatal(len(got.Links))
			}
		}
	})
	b.Run("html.Tokenizer", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		b.ReportAllocs()
		for b.Loop() {
			if got := tokenizedLinks(page); got != 40 {
				b.Fatal(got)
			}
		}
	})
}

// tokenizedLinks counts the links of a page the plain way.
func tokenizedLinks(page []byte) (links int) {
	for z := html.NewTokenizer(bytes.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return links
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			for is(name, "a") && more {
				var key []byte
				if key, _, more = z.TagAttr(); is(key, "href") {
					links++
				}
			}
		}
	}
}

func BenchmarkToUTF8(b *testing.B) {
	page := benchmarkPage()
	for _, contentType := range []string{"text/html; charset=utf-8", "text/html; charset=iso-8859-1", "text/html"} {
		b.Run(contentType, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				toUTF8(page, contentType)
			}
		})
	}
}

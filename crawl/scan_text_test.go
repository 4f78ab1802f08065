package crawl

import (
	"slices"
	"strings"
	"testing"
)

func TestScanTexts(t *testing.T) {
	for _, tt := range []struct{ html, want string }{
		{`<a href=x>text</a>`, "text"},
		{"<a href=x> two \n words</a> after", "two words"},
		{`<a href=x>a <b>bold</b> &amp; <!-- no --> end</a>`, "a bold & end"},
		{`<a href=x>before<img src=y alt="a picture">after</a>`, "before a picture after"},
		{`<a href=x>first<a href=y>second</a>`, "first|second"},
		{`<a href=x>1 < 2</a>`, "1 < 2"},
		{`<a href=x></a><a name=y>no link</a>`, ""},
		{`<a href=x>open`, "open"},
		{`<a href=x>open<`, "open"},
		{`<a href=x>a<script>b</script></a>`, "a"},
		{`<map><area href=x alt="the &lt;area&gt;"></map>`, "the <area>"},
		{`<link rel=next href=x><a href=y>a</a><iframe src=z></iframe><a href=w>b</a>`, "|a||b"},
		{`<img src=x><a name=y>z</a><a href=w>b</a>`, "|b"},
		{"<a href=x>a\x00b</a>", "a\ufffdb"},
		{`<a href=x>` + strings.Repeat("é", 200) + `</a>`, strings.Repeat("é", 128)},
		{`<a href=x>` + strings.Repeat("<i>", 5000) + `far</a>`, ""},
	} {
		var s scanner
		page := s.scan([]byte(tt.html), scanOptions{Texts: true, Requisites: true})
		var got []string
		for _, l := range page.Links {
			if l.Kind == KindImage && strings.Contains(tt.html, "alt") {
				continue
			}
			got = append(got, l.Text)
		}
		if s := strings.Join(got, "|"); s != tt.want {
			t.Errorf("%.100s: %q, want %q", tt.html, s, tt.want)
		}
		// Texts change nothing about the links.
		plain := s.scan([]byte(tt.html), scanOptions{Requisites: true})
		for i := range page.Links {
			page.Links[i].Text = ""
		}
		if !slices.Equal(plain.Links, page.Links) && len(plain.Links) > 0 {
			t.Errorf("%.100s: links %v, with texts %v", tt.html, plain.Links, page.Links)
		}
	}
}

func TestScanStyles(t *testing.T) {
	for _, tt := range []struct{ html, want string }{
		{`<style>@import "a.css"; b{c:url(d)}</style>`, "style a.css|asset d"},
		{`<p style="background:url(&quot;a&quot;)">`, "asset a"},
		{`<p style=background:url(a)>`, "asset a"},
		{`<p style="background:url&#40;a)">`, "asset a"},
		{`<p title="url(a)">`, ""},
		{`<a style="b:url(c)" href=d style="e:url(f)">`, "a d|asset c"},
		{`<template><p style="b:url(c)"></template><template><style>a{b:url(c)}</style></template>`, ""},
		{`<p style="b:url(c)"`, ""},
		{`<style>a{b:url(c)}`, "asset c"},
	} {
		var s scanner
		page := s.scan([]byte(tt.html), scanOptions{Styles: true})
		var got []string
		for _, l := range page.Links {
			got = append(got, l.Kind.String()+" "+l.URL)
		}
		if s := strings.Join(got, "|"); s != tt.want {
			t.Errorf("%s: %q, want %q", tt.html, s, tt.want)
		}
	}
}

package crawl

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// found is what a scan finds, a line each.
func found(page Page) []string {
	lines := []string{}
	if page.HasBase {
		lines = append(lines, "base "+page.Base)
	}
	if page.NoFollow {
		lines = append(lines, "nofollow")
	}
	for _, l := range page.Links {
		line := kindNames[l.Kind] + " " + l.URL
		if l.NoFollow {
			line += " nofollow"
		}
		lines = append(lines, line)
	}
	return lines
}

var kindNames = map[LinkKind]string{
	KindAnchor: "a", KindArea: "area", KindCanonical: "canonical", KindNext: "next", KindPrev: "prev", KindFrame: "frame",
	KindRefresh: "refresh", KindImage: "image", KindStyle: "style", KindScript: "script", KindMedia: "media",
}

func TestScan(t *testing.T) {
	for _, tt := range []struct{ html, want string }{
		// attributes
		{`<a href="x">`, "a x"},
		{`<A HREF='x'>`, "a x"},
		{"<a\nhref\t=\f x\r>", "a x"},
		{`<a href=x/>`, "a x/"},
		{`<a/href=x/ >`, "a x/"},
		{`<a title="a>b" href=x>`, "a x"},
		{`<a title=a"b>c" href=y>`, ""},
		{`<a "quote>" href=y>`, ""},
		{`<a href=x href=y>`, "a x"},
		{`<a href HREF=y>`, "a "},
		{`<a href= >`, "a "},
		{`<a =href=x href=y>`, "a y"},
		{`<a title="a"href=x>`, "a x"},
		{`<a href="x"`, ""},
		{`<a href="x>`, ""},
		{`<a href=x <a href=y>`, "a x"},
		{`<a name=x>`, ""},
		{`<abbr href=x><a1 href=x><a:b href=x>`, ""},
		{"<a href=\" \t\n x y \r\n\">", "a x y"},
		{"<a href=x\x00y>", "a x\ufffdy"},
		{"<a hre\x00f=x>", ""},
		{"<a href='x\xffy'>", "a x\ufffdy"},
		{"<a href='x\r\ny\rz'>", "a x\ny\nz"},
		// character references
		{`<a href="?a=1&amp;b=2&c=3&copy=4&copy5&reg;&lt">`, "a ?a=1&b=2&c=3&copy=4&copy5®<"},
		{`<a href="&notit;&notin;&semi;&nosuch;&;&&#&#x&#;">`, "a &notit;∉;&nosuch;&;&&#&#x&#;"},
		{`<a href="&#97;&#x62&#X63;&#x80;&#0;&#xD800;&#99999999999;d">`, "a abc€\ufffd\ufffd\ufffdd"},
		{`<a href="&#32;x&Tab;">`, "a x"},
		{`<a href=x rel=no&#102;ollow>`, "a x nofollow"},
		// comments and the like
		{`<!-- <a href=x> --><a href=y>`, "a y"},
		{`<!--><a href=x>`, "a x"},
		{`<!---><a href=x>`, "a x"},
		{`<!-- --!><a href=x>`, "a x"},
		{`<!--!><a href=x>--><a href=y>`, "a y"},
		{`<!---!><a href=x>--><a href=y>`, "a y"},
		{`<!-- -- > ->--<a href=x>---><a href=y>`, "a y"},
		{`<!-- <!-- --><a href=x>`, "a x"},
		{`<!-- --!--><a href=x>`, "a x"},
		{`<!-- <a href=x>`, ""},
		{`<!x <a href=x>`, ""},
		{`<!><a href=x>`, "a x"},
		{`<!-><a href=x>`, "a x"},
		{`<!doctype "a>b"><a href=x>`, "a x"},
		{`<![CDATA[<a href=x>]]>`, ""},
		{`<![CDATA[>]]<a href=x>`, "a x"},
		{`<?php <a href=x> ?><a href=y>`, "a y"},
		{`</ <a href=x>`, ""},
		{`</><a href=x>`, "a x"},
		{`</p title="<a href=x>"><a href=y>`, "a y"},
		{`< a href=x><<a href=y><3`, "a y"},
		{`<`, ""}, {`</`, ""}, {`<!`, ""}, {`<!-`, ""}, {`<!--`, ""}, {`<?`, ""}, {`<a`, ""}, {`</a`, ""}, {``, ""},
		// text that is no markup
		{`<style><a href=x></style ><a href=y>`, "a y"},
		{`<STYLE><a href=x></style</styles></sTyLe/><a href=y>`, "a y"},
		{`<textarea><a href=x></textarea><xmp><a href=x></xmp><noembed><a href=x></noembed><a href=y>`, "a y"},
		{`<noframes><a href=x></noframes><iframe><a href=x></iframe><a href=y>`, "a y"},
		{`<title><a href=x></title><a href=y>`, "a y"},
		{`<textarea/><a href=x></textarea>`, ""},
		{`<textarea><!--</textarea><a href=x>--><a href=y>`, "a x;a y"},
		{`<noscript><a href=x></noscript>`, "a x"},
		{`<plaintext></plaintext><a href=x>`, ""},
		{`<style><a href=x>`, ""},
		{`<script><a href=x></script><a href=y>`, "a y"},
		{`<script>"<!--" </script><a href=x>`, "a x"},
		{`<script><!-- <script> </script><a href=x> --></script><a href=y>`, "a y"},
		{`<script><!-- <script> </script> </script><a href=x>`, "a x"},
		{`<script><!-- <script> --> </script><a href=x>`, "a x"},
		{`<script><!-- <scripts> </script><a href=x>`, "a x"},
		{`<script><!--><script></script><a href=x>`, "a x"},
		{`<script><!---><script></script><a href=x>`, "a x"},
		{`<script><!-- < <script></script><a href=x></script><a href=y>`, "a y"},
		{`<script><!-- <script </script/><a href=x></script><a href=y>`, "a y"},
		{`<script></script`, ""},
		// templates
		{`<template><a href=x><template></template><a href=x></template><a href=y>`, "a y"},
		{`<template><base href=x><meta name=robots content=none></template></template><a href=y>`, "a y"},
		{`<template><title><a href=x></template></title></template><a href=y>`, "a y"},
		{`<template><a href=x>`, ""},
		{`<template`, ""},
		// elements
		{`<area href=x rel="a NoFollow b"><a href=y rel=nofollowed>`, "area x nofollow;a y"},
		{`<link rel=canonical href=x><link href=y rel="x NEXT"><link rel=prev href=z>`, "canonical x;next y;prev z"},
		{`<link rel="next canonical next" href=x><link rel=stylesheet href=y><link href=z><link rel=next>`, "canonical x;next x"},
		{`<iframe src=x></iframe><frame src=y><iframe src=" "></iframe><iframe>`, "frame x;frame y"},
		{`<base target=x><base href=" x "><base href=y>`, "base x"},
		{`<base href><base href=y>`, "base "},
		{`<meta name=ROBOTS content="noindex, NoFollow">`, "nofollow"},
		{`<meta name=robots content="none"><a href=x>`, "nofollow;a x"},
		{`<meta name=robots content="index nofollow">`, "nofollow"},
		{`<meta name=robots content="max-image-preview: none,nofollowed"><meta name=other content=none>`, ""},
		{`<meta http-equiv=Refresh content="5; url=x">`, "refresh x"},
		{`<meta content="5" http-equiv=refresh><meta http-equiv=refresh><meta http-equiv=" refresh" content="0;x">`, ""},
		{`<img src=x><script src=x></script><link rel=icon href=x><video src=x>`, ""},
		{`<svg><a href=x></svg><select><a href=y></select>`, "a x;a y"}, // the tokenizer's rule
	} {
		var s scanner
		got := strings.Join(found(s.scan([]byte(tt.html), scanOptions{})), ";")
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.html, got, tt.want)
		}
	}
}

func TestScanRequisites(t *testing.T) {
	for _, tt := range []struct{ html, want string }{
		{`<img src=x srcset="y 1x, z 2x"><image src=x>`, "image x;image y;image z;image x"},
		{`<img src="">`, ""},
		{`<picture><source srcset=x><img src=y></picture>`, "image x;image y"},
		{`<video src=x poster=y><source src=z><track src=t></video><audio src=u>`, "media x;image y;media z;media t;media u"},
		{`<object data=x></object><embed src=y>`, "media x;media y"},
		{`<input type=IMAGE src=x><input src=y>`, "image x"},
		{`<script src=x><a href=x></script><link rel="shortcut icon" href=y><link href=z rel=stylesheet>`, "script x;image y;style z"},
		{`<template><img src=x></template><noscript><img src=y></noscript><a href=z>`, "image y;a z"},
		{`<img srcset=" x,y 2x (a,b) ,, z,, w">`, "image x,y;image z;image w"},
		{`<img srcset="x,"><img srcset=","><img srcset="x 1x,y">`, "image x;image x;image y"},
	} {
		var s scanner
		got := strings.Join(found(s.scan([]byte(tt.html), scanOptions{Requisites: true})), ";")
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.html, got, tt.want)
		}
	}
}

func TestTitle(t *testing.T) {
	for _, tt := range []struct{ html, want string }{
		{`<title> A  &amp;
			b&notit; <b>c</b></title>`, "A & b¬it; <b>c</b>"},
		{`<title></title><title>b</title>`, ""},
		{`<template><title>a</title></template><title>b</title>`, "b"},
		{`<title>a&nbsp;b</title>`, "a\u00a0b"},
		{"<title>a\x00\xffb</title>", "a\ufffd\ufffdb"},
		{`<title>a</title`, "a</title"},
		{`<title a`, ""},
		{`<!--<title>a</title>-->`, ""},
		{`<title>` + strings.Repeat("ü ", maxTitle) + `</title>`, strings.Repeat("ü ", maxTitle)[:maxTitle-1]},
		{`<title>x` + strings.Repeat("ü", maxTitle) + `</title>`, "x" + strings.Repeat("ü", maxTitle/2-1)},
	} {
		var s scanner
		if got := s.scan([]byte(tt.html), scanOptions{}).Title; got != tt.want {
			t.Errorf("%s: got %q, want %q", clip(tt.html), clip(got), clip(tt.want))
		}
	}
}

func TestRefreshURL(t *testing.T) {
	for _, tt := range []struct{ content, want string }{
		{"5", ""}, {"5;", ""}, {"", ""}, {"x", ""}, {"url=x", ""}, {"5x", ""}, {"-1;x", ""},
		{"5;x", "x"}, {"5,x", "x"}, {"5 x", "x"}, {" 5 ; x", "x"}, {"5.5;x", "x"}, {".5;x", "x"}, {"..;x", "x"}, {"5;;x", ";x"},
		{"5;url=x", "x"}, {"5;URL = x y", "x y"}, {"5 url=x", "x"},
		{"5;url='x'y", "x"}, {`5;url="x`, "x"}, {"5;'x'y", "x"}, {`5;url="x'y"`, "x'y"},
		{"5;url", "url"}, {"5;url x", "url x"}, {"5;up.html", "up.html"}, {"5;u'x'", "u'x'"}, {"5;urn:x", "urn:x"},
		{"5;url=", ""}, {"5;url=url=x", "url=x"}, {"5;\turl\n=\fx", "x"},
	} {
		if got := refreshURL([]byte(tt.content)); string(got) != tt.want {
			t.Errorf("%q: got %q, want %q", tt.content, got, tt.want)
		}
	}
}

// A scanner is used for one document after another.
func TestScanAgain(t *testing.T) {
	var s scanner
	first := s.scan([]byte(`<template><title>a</title><base href=b><a href=c>`), scanOptions{Charset: "koi8-r", Requisites: true})
	if len(first.Links) > 0 || first.HasBase || first.Title != "" {
		t.Errorf("in a template: %+v", first)
	}
	second := s.scan([]byte(`<title>d</title><base href=e><a href=?я><img src=x>`), scanOptions{})
	text := second.Title + fmt.Sprint(found(second))
	s.scan([]byte(`<title>z</title><base href=z><a href=z>`), scanOptions{})
	if want := "d[base e a ?я]"; text != want || second.Title != "d" || second.Base != "e" {
		t.Errorf("got %s, want %s", text, want)
	}
}

// Hostile documents take time in proportion to their length: each of these has taken the square of it in some parser.
func TestScanHostile(t *testing.T) {
	const n = 1 << 20
	for _, piece := range []string{
		"<", "<a ", "<!--", "<!-- >", "<a href=", "<a href='", "</", "<title>", "<template>", "<script><!--<script>", "&", "<a href=&amp",
		"</title", "<script><!-- <", "-->", "<div>", "<a x=1 ", "<img srcset='a,", "<meta content=charset",
	} {
		for _, prefix := range []string{"", "<script>", "<script><!--<script>", "<title>", "<a href='", "<textarea>"} {
			var s scanner
			s.scan([]byte(prefix+strings.Repeat(piece, n/len(piece))+"'>"), scanOptions{Requisites: true})
		}
	}
	body, want := "", []string{}
	for i := range 1000 {
		body += fmt.Sprintf("<div><a href=%d>", i)
		want = append(want, fmt.Sprint("a ", i))
	}
	var s scanner
	if got := found(s.scan([]byte(body), scanOptions{})); !slices.Equal(got, want) {
		t.Errorf("1,000 levels deep: %d links are found", len(got))
	}
}

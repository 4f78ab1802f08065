package crawl

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
)

// FuzzScan compares the scanner with a tree that a parser builds, as sets: a tree builder moves links out of tables, and
// repeats an a element that is left open.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`<title>a &amp; b</title><base href=b><a href="c?d=1&amp;e&copy=2" rel=nofollow>f</a><area href='g'>`,
		`<link rel="canonical next" href=a><meta http-equiv=refresh content="5; url='b'"><meta name=robots content=none>`,
		`<!-- <a href=a> --!><script><!-- <script> </script> --></script><a href=b><style></style ><textarea></textarea>`,
		`<noscript><a href=a></noscript><template><a href=b><template></template></template><iframe src=c></iframe>`,
		`<table><tr><a href=a></tr><title>b</title><td><a href=c><p></a></table><xmp><![CDATA[</xmp>`,
		`<picture><source srcset="a 1x, b 2x"><img src=c srcset=d></picture><video src=e poster=f></video><object data=g>`,
	} {
		f.Add([]byte(seed))
	}
	var s scanner
	f.Fuzz(func(t *testing.T, body []byte) {
		body = bytes.ToValidUTF8(body, []byte("\ufffd"))
		if excluded.Match(body) || leavesEscaped.Match(body) || len(body) > maxTitle/utf8.UTFMax {
			return
		}
		want, ok := parsedPage(body)
		if !ok {
			return
		}
		got := s.scan(body, scanOptions{Requisites: true})
		if !slices.Equal(sortedSet(got), sortedSet(want)) {
			t.Errorf("%q:\nscanned %q\nparsed  %q", body, sortedSet(got), sortedSet(want))
		}
		if len(titleOrBase.FindAll(body, 2)) < 2 || !bytes.Contains(bytes.ToLower(body), []byte("<table")) {
			if got.Title != want.Title || got.Base != want.Base || got.HasBase != want.HasBase {
				t.Errorf("%q:\nscanned %q, base %q\nparsed  %q, base %q", body, got.Title, got.Base, want.Title, want.Base)
			}
		}
	})
}

// In some elements a tree builder drops tags that the tokenizer sees, or reads foreign content, where other rules hold.
// There the scanner's rule is the tokenizer's.
var excluded = regexp.MustCompile(`(?i)<(svg|math|select|frame|frameset|plaintext)\b`)

// In a script, behind <!--, the oracle takes a < without a name for the end of what <!-- began: it goes back to the script
// data state, where the HTML Standard (section 13.2.5.20, script data escaped less-than sign state) stays escaped.
var leavesEscaped = regexp.MustCompile(`(?is)<script\b.*<!--.*<([^/a-z]|$)`)

// Tables put what is misplaced in them before themselves, and so may change which of several comes first.
var titleOrBase = regexp.MustCompile(`(?i)<(title|base)\b`)

func sortedSet(p Page) []string {
	set := found(Page{NoFollow: p.NoFollow, Links: p.Links})
	slices.Sort(set)
	return slices.Compact(set)
}

// parsedPage is what a page has by html.Parse, which refuses deep nesting.
func parsedPage(body []byte) (Page, bool) {
	root, err := html.ParseWithOptions(bytes.NewReader(body), html.ParseOptionEnableScripting(false))
	if err != nil {
		return Page{}, false
	}
	doc := goquery.NewDocumentFromNode(root)
	doc.Find("template").Remove()

	var page Page
	page.Title = strings.Join(strings.FieldsFunc(doc.Find("title").First().Text(), isWhiteSpace), " ")
	page.Base, page.HasBase = doc.Find("base[href]").First().Attr("href")
	page.Base = strings.Trim(page.Base, whiteSpace)
	doc.Find("*").Each(func(_ int, el *goquery.Selection) {
		page.Links = append(page.Links, parsedLinks(el)...)
	})
	doc.Find("meta[name][content]").Each(func(_ int, el *goquery.Selection) {
		rules := lowerASCII(el.AttrOr("content", ""))
		for rule := range strings.SplitSeq(rules, ",") {
			words := strings.FieldsFunc(rule, isWhiteSpace)
			if lowerASCII(el.AttrOr("name", "")) == "robots" && !strings.Contains(rule, ":") &&
				(slices.Contains(words, "nofollow") || slices.Contains(words, "none")) {
				page.NoFollow = true
			}
		}
	})
	return page, true
}

// parsedLinks is what one element of a tree links to.
func parsedLinks(el *goquery.Selection) (links []Link) {
	rel := strings.FieldsFunc(lowerASCII(el.AttrOr("rel", "")), isWhiteSpace)
	add := func(kind LinkKind, attribute string) {
		value, has := el.Attr(attribute)
		value = strings.Trim(value, whiteSpace)
		if has && (value != "" || kind <= KindPrev) {
			links = append(links, Link{URL: value, Kind: kind, NoFollow: kind <= KindArea && slices.Contains(rel, "nofollow")})
		}
	}
	// What stands within one value has tables of its own: TestRefreshURL and TestScanRequisites.
	srcset := func() {
		var s scanner
		s.addSet([]byte(el.AttrOr("srcset", "")))
		for _, at := range s.links {
			links = append(links, Link{URL: string(s.text[at.start:at.end]), Kind: KindImage})
		}
	}
	switch goquery.NodeName(el) {
	case "a":
		add(KindAnchor, "href")
	case "area":
		add(KindArea, "href")
	case "link":
		for word, kind := range map[string]LinkKind{
			"canonical": KindCanonical, "next": KindNext, "prev": KindPrev, "stylesheet": KindStyle, "icon": KindImage,
		} {
			if slices.Contains(rel, word) {
				add(kind, "href")
			}
		}
	case "meta":
		url := strings.Trim(string(refreshURL([]byte(el.AttrOr("content", "")))), whiteSpace)
		if lowerASCII(el.AttrOr("http-equiv", "")) == "refresh" && url != "" {
			links = append(links, Link{URL: url, Kind: KindRefresh})
		}
	case "iframe":
		add(KindFrame, "src")
	case "img":
		add(KindImage, "src")
		srcset()
	case "source":
		add(KindMedia, "src")
		srcset()
	case "video":
		add(KindMedia, "src")
		add(KindImage, "poster")
	case "audio", "track", "embed":
		add(KindMedia, "src")
	case "object":
		add(KindMedia, "data")
	case "script":
		add(KindScript, "src")
	case "input":
		if lowerASCII(el.AttrOr("type", "")) == "image" {
			add(KindImage, "src")
		}
	}
	return links
}

// lowerASCII leaves letters such as ſ as they are, which strings.EqualFold would take for an s.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r | 0x20
		}
		return r
	}, s)
}

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// parsedReport renders a report and returns it as a browser reads it.
func parsedReport(t *testing.T, comparisons ...comparison) (*goquery.Document, []byte) {
	t.Helper()
	text, err := htmlReport("pace compare", comparisons)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc, text
}

func TestHTMLReport(t *testing.T) {
	list := []string{"1", "4", "16"}
	for _, test := range []struct {
		name   string
		charts int
		all    []comparison
	}{
		{"three modes", 6, []comparison{sampleComparison(60, nil)}},
		{"a sweep", 7, []comparison{sampleComparison(60, list)}},
		{"parts of a demo", 13, []comparison{sampleComparison(60, nil), sampleComparison(5, list)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc, text := parsedReport(t, test.all...)
			if n := doc.Find("figure").Length(); n != test.charts {
				t.Errorf("%d charts, want %d", n, test.charts)
			}
			checkNothingRuns(t, doc, text)
			checkPictures(t, doc)
			checkOutline(t, doc)
		})
	}
}

// checkNothingRuns checks that what came from outside is text, and that the policy allows the style and no more.
func checkNothingRuns(t *testing.T, doc *goquery.Document, text []byte) {
	t.Helper()
	if n := doc.Find("script, img, iframe, object, embed, form, em, b, [onload], [onerror], [style]").Length(); n != 0 {
		t.Errorf("%d elements that a report has no use for", n)
	}
	if shown := doc.Find("code").First().Text(); !strings.Contains(shown, `<script>document.title=`) {
		t.Errorf("the command is shown as %s", shown)
	}
	if cells := doc.Find("details td").Text(); !strings.Contains(cells, "<script>") {
		t.Error("no table shows the URL as it is")
	}
	style := doc.Find("style").Text()
	sum := sha256.Sum256([]byte(style))
	policy, _ := doc.Find(`meta[http-equiv="Content-Security-Policy"]`).Attr("content")
	if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
		t.Errorf("the policy %q does not know the style %s", policy, want)
	}
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	doc.Find("[src], [href]").Each(func(_ int, s *goquery.Selection) {
		to := s.AttrOr("src", s.AttrOr("href", ""))
		if !strings.HasPrefix(to, "#") && to != "data:," {
			t.Errorf("the report leads to %q", to)
		}
	})
	if bytes.Contains(text, []byte("@import")) || regexp.MustCompile(`url\((?:[^#]|$)`).Match(text) {
		t.Error("the style loads something")
	}
	if bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("Inf")) || bytes.Contains(text, []byte("ZgotmplZ")) {
		t.Error("a number is none, or a value had no place")
	}
}

// checkPictures checks that each picture has marks, words for those who cannot see it, and stays within its edges.
func checkPictures(t *testing.T, doc *goquery.Document) {
	t.Helper()
	doc.Find("figure").Each(func(_ int, f *goquery.Selection) {
		name := f.Find("h3").Text()
		if f.Find("svg").Length() != len(canvases) || f.Find("details table").Length() == 0 {
			t.Errorf("%s: %d pictures, %d tables", name, f.Find("svg").Length(), f.Find("details table").Length())
		}
		f.Find("svg").Each(func(_ int, s *goquery.Selection) {
			if s.AttrOr("role", "") != "img" || s.Find("title").First().Text() == "" || s.Find("desc").Text() == "" {
				t.Errorf("%s has no words", name)
			}
			for id := range strings.FieldsSeq(s.AttrOr("aria-labelledby", "")) {
				if s.Find("#"+id).Length() != 1 {
					t.Errorf("%s: its words %s are not there", name, id)
				}
			}
			if n := s.Find(".m, .area, .wait").Length(); n < 6 {
				t.Errorf("%s has %d marks", name, n)
			}
			checkWithin(t, name, s)
		})
	})
}

// checkWithin checks that nothing but a whisker's end stands outside a picture.
func checkWithin(t *testing.T, name string, s *goquery.Selection) {
	t.Helper()
	var width, height float64
	if _, err := fmt.Sscanf(s.AttrOr("viewbox", s.AttrOr("viewBox", "")), "0 0 %f %f", &width, &height); err != nil {
		t.Fatal(name, err)
	}
	number := func(e *goquery.Selection, name string) float64 {
		v, err := strconv.ParseFloat(e.AttrOr(name, "0"), 64)
		if err != nil {
			t.Error(name, err)
		}
		return v
	}
	s.Find("rect, text, circle").Each(func(_ int, e *goquery.Selection) {
		x, y := number(e, "x")+number(e, "cx"), number(e, "y")+number(e, "cy")
		w, h := number(e, "width"), number(e, "height")
		if x < -0.1 || y < -0.1 || x+w > width+0.1 || y+h > height+0.1 || w < 0 || h < 0 {
			t.Errorf("%s: %s %q at %v,%v, %v x %v, is outside of %v x %v", name, goquery.NodeName(e), e.Text(), x, y, w, h, width, height)
		}
	})
}

// checkOutline checks what a screen reader goes by: language, headings in order, names that are one of a kind, heads of
// tables, and keys that reach what scrolls.
func checkOutline(t *testing.T, doc *goquery.Document) {
	t.Helper()
	if doc.Find("html[lang=en]").Length() != 1 || doc.Find("h1").Length() != 1 || doc.Find("main").Length() != 1 {
		t.Error("language, main part or title")
	}
	level := 0
	doc.Find("h1, h2, h3, h4").Each(func(_ int, h *goquery.Selection) {
		if n := int(goquery.NodeName(h)[1] - '0'); n > level+1 {
			t.Errorf("%q is a heading of level %d below one of %d", h.Text(), n, level)
		} else {
			level = n
		}
	})
	ids := map[string]bool{}
	doc.Find("[id]").Each(func(_ int, e *goquery.Selection) {
		if id := e.AttrOr("id", ""); ids[id] {
			t.Errorf("two elements are called %s", id)
		} else {
			ids[id] = true
		}
	})
	doc.Find("table").Each(func(_ int, table *goquery.Selection) {
		head := table.Find("thead th[scope=col]").Length()
		if table.Find("caption").Text() == "" || head == 0 {
			t.Error("a table without a caption or a head")
		}
		table.Find("tbody tr").Each(func(_ int, row *goquery.Selection) {
			if n := row.Children().Length(); n != head || row.Find("th[scope=row]").Length() != 1 {
				t.Errorf("%s: a row of %d cells below a head of %d", table.Find("caption").Text(), n, head)
			}
		})
	})
	doc.Find(".scroll").Each(func(_ int, e *goquery.Selection) {
		if e.AttrOr("tabindex", "") != "0" || e.AttrOr("aria-label", "") == "" {
			t.Error("keys do not reach a table that scrolls")
		}
	})
}

// A run may have had nothing to do, and a machine may tell nothing of itself.
func TestHTMLReportOfNothing(t *testing.T) {
	var text bytes.Buffer
	err := traceTo(&text, traceOfNothing(), report{Tool: "copy"})
	if err != nil {
		t.Fatal(err)
	}
	empty, err := parseTrace(&text, 10)
	if err != nil {
		t.Fatal(err)
	}
	c := sampleCopy()
	c.traces[0] = empty
	doc, page := parsedReport(t, c)
	if n := doc.Find("figure").Length(); n != 6 {
		t.Errorf("%d charts", n)
	}
	if bytes.Contains(page, []byte("NaN")) || bytes.Contains(page, []byte("Inf")) {
		t.Error("a number is none")
	}
	c.traces = nil
	if doc, _ := parsedReport(t, c); doc.Find("figure").Length() != 2 {
		t.Errorf("without traces, %d charts", doc.Find("figure").Length())
	}
}

func TestHTMLReportIsSmall(t *testing.T) {
	for name, c := range map[string]comparison{
		"20,000 requests": sampleComparison(20_000, nil),
		"a wide sweep":    sampleComparison(20_000, []string{"1", "2", "4", "8", "16", "32", "64", "128"}),
	} {
		text, err := htmlReport("pace compare", []comparison{c})
		if err != nil || len(text) > 5<<20 {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
}

// TestColours computes the contrast of all colours with what they stand on (WCAG 2.2, 1.4.3 and 1.4.11).
func TestColours(t *testing.T) {
	blocks := regexp.MustCompile(`:root \{([^}]*)\}`).FindAllStringSubmatch(styleText, -1)
	if len(blocks) != 3 {
		t.Fatalf("%d sets of colours, want those of light, dark and print", len(blocks))
	}
	for i, block := range blocks {
		colours := map[string]float64{}
		for _, c := range regexp.MustCompile(`--(\w+): #(\w{6});`).FindAllStringSubmatch(block[1], -1) {
			colours[c[1]] = luminance(t, c[2])
		}
		for _, ground := range []string{"paper", "panel"} {
			for _, text := range []string{"ink", "soft", "sequential", "threads", "async", "bad"} {
				a, b := colours[text]+0.05, colours[ground]+0.05
				if ratio := max(a, b) / min(a, b); ratio < 4.5 || ratio > 22 {
					t.Errorf("set %d: %s on %s has a contrast of %.2f", i, text, ground, ratio)
				}
			}
		}
	}
}

// luminance is the relative luminance of an sRGB colour (WCAG 2.2).
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		v := float64(n) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

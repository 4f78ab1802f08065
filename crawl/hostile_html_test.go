package crawl

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pace/limiter"
)

// hostileHTML is documents of about 4 MiB, each of which would take far more time or memory from a scanner or a parser
// without bounds.
func hostileHTML() map[string]http.HandlerFunc {
	const size = 4 << 20
	page := func(write func(b *bufio.Writer)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			b := bufio.NewWriter(w)
			write(b)
			_ = b.Flush()
		}
	}
	fill := func(begin, piece, end string) http.HandlerFunc {
		return page(func(b *bufio.Writer) {
			_, _ = b.WriteString(begin)
			for range size / len(piece) {
				_, _ = b.WriteString(piece)
			}
			_, _ = b.WriteString(end)
		})
	}
	differentLinks := page(func(b *bufio.Writer) {
		for i := range size / len("<a href=12345>") {
			_, _ = fmt.Fprintf(b, "<a href=%05x>", i)
		}
	})
	return map[string]http.HandlerFunc{
		"nested":             fill("", "<div>", ""),
		"nested tables":      fill("", "<table><tr><td>", ""),
		"nested templates":   fill("", "<template>", "<a href=/no>"),
		"formatting":         fill("", "<b><p>", ""),
		"attributes":         fill("<a ", "x ", "href=/1>"),
		"a long attribute":   fill("<a href='/", "x", "'>"),
		"a long name":        fill("<a", "x", " href=/1>"),
		"no end of a value":  fill("<a href='/", "<a href=/no>", ""),
		"no end of a tag":    fill("<a href=/no ", "<", ""),
		"no end of comments": fill("", "<!--", ""),
		"nearly comments":    fill("<!--", "--", ""),
		"scripts":            fill("<script>", "<!--<script", ""),
		"open tags":          fill("", "<", ""),
		"references":         fill("<a href='", "&amp", "'>"),
		"long references":    fill("<a href='&", "a", ";'>"),
		"numbers":            fill("<a href='&#", "9", ";'>"),
		"links":              fill("", "<a href=0>", ""),
		"different links":    differentLinks,
		"bases":              fill("", "<base href=/>", "<a href=x>"),
		"refreshes":          fill("", "<meta http-equiv=refresh content='0;url=x'>", ""),
		"titles":             fill("<title>", "x ", ""),
		"words of rel":       fill("<a href=/1 rel='", "x ", "'>"),
		"words of robots":    fill("<meta name=robots content='", "x,", "'>"),
		"a charset":          fill("<meta http-equiv=content-type content='", "charset ", "'>"),
		"legacy":             fill("<meta charset=iso-2022-jp>", "\x1b$B", "<a href='?\u3042'>"),
		"zeroes":             fill("", "\x00", ""),
		"rows":               fill("<table>", "<tr>", ""),
		"options":            fill("<select>", "<option>", ""),
	}
}

// lineCounter counts lines that come whole.
type lineCounter struct{ lines, longest int }

func (l *lineCounter) Write(p []byte) (int, error) {
	l.lines += bytes.Count(p, []byte("\n"))
	l.longest = max(l.longest, len(p))
	return len(p), nil
}

// TestHostileHTML crawls hostile documents, with a selector that needs a tree of each.
func TestHostileHTML(t *testing.T) {
	pages := map[string]http.HandlerFunc{}
	for name, page := range hostileHTML() {
		pages["/"+strings.ReplaceAll(name, " ", "-")] = page
	}
	selector, err := ParseSelector("all=a@href")
	if err != nil {
		t.Fatal(err)
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		o := newWorld(t, pages).options(m)
		for path := range pages {
			o.Seeds = append(o.Seeds, "http://a.test"+path)
		}
		o.Depth, o.MaxPages, o.MaxBody, o.Select, o.Timeout = 1, len(pages)+10, 16<<20, []Selector{selector}, 0
		var records lineCounter
		o.Output = &records
		grown := peakHeap(func() {
			report, err := Run(t.Context(), o)
			if err != nil || report.ItemsFailed > 0 || report.Items != int64(records.lines) {
				t.Errorf("%d of %d failed, %d records: %v", report.ItemsFailed, report.Items, records.lines, err)
			}
		})
		if records.lines < len(pages) || records.lines > o.MaxPages {
			t.Errorf("%d records of %d pages", records.lines, len(pages))
		}
		if records.longest > 8<<20 {
			t.Errorf("a record of %d bytes", records.longest)
		}
		t.Logf("the heap grew by %d MiB", grown>>20)
		if grown > 300<<20 {
			t.Errorf("the heap grew by %d MiB", grown>>20)
		}
	})
}

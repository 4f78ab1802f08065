package crawl

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/PuerkitoBio/goquery"
	"github.com/andybalholm/cascadia"
)

// Selector extracts something from each HTML page: the text of the elements that match, or an attribute of theirs.
type Selector struct {
	Name string // the key in the record's "selected"
	Attr string // the attribute to take; empty for the text

	matcher goquery.Matcher
}

// ParseSelector parses NAME=CSS or NAME=CSS@ATTR.
func ParseSelector(s string) (Selector, error) {
	name, css, ok := strings.Cut(s, "=")
	if !ok || name == "" || css == "" {
		return Selector{}, fmt.Errorf("%q is not NAME=CSS or NAME=CSS@ATTR", s)
	}
	attr := ""
	if i := strings.LastIndexByte(css, '@'); i > 0 && !strings.ContainsAny(css[i:], `"']) `) {
		css, attr = css[:i], css[i+1:]
	}
	compiled, err := cascadia.Compile(css)
	if err != nil {
		return Selector{}, fmt.Errorf("%q is not a CSS selector: %w", css, err)
	}
	return Selector{Name: name, Attr: attr, matcher: compiled}, nil
}

// apply returns what the selector finds, in document order.
func (s Selector) apply(doc *goquery.Document) []string {
	found := []string{}
	doc.FindMatcher(s.matcher).Each(func(_ int, el *goquery.Selection) {
		if s.Attr == "" {
			found = append(found, strings.Join(strings.Fields(el.Text()), " "))
		} else if value, ok := el.Attr(s.Attr); ok {
			found = append(found, value)
		}
	})
	return found
}

// A tree takes up to fifty times the memory of its document, so selectors see the beginning of a huge one only.
const (
	maxSelected     = 2 << 20 // bytes
	maxSelectedTags = 150_000
	treeFactor      = 40
)

// selected returns what the user's selectors find in a page.
func (c *crawler) selected(r *response, it *item, text []byte) (map[string][]string, error) {
	found := map[string][]string{}
	if part := selectable(text); len(part) < len(text) {
		c.log.Warn(fmt.Sprintf("--select sees the first %d bytes of %d", len(part), len(text)), "item", it.url.String())
		text = part
	}
	room := int64(treeFactor * len(text))
	if err := r.takeRoom(room); err != nil {
		return nil, err
	}
	defer r.share.give(room)
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(text))
	if err != nil {
		// Nothing but elements that lie too deep in one another is refused.
		c.log.Warn("nothing can be selected", "item", it.url.String(), "error", err)
		return found, nil
	}
	for _, s := range c.o.Select {
		found[s.Name] = s.apply(doc)
	}
	return found, nil
}

// selectable returns as much of the beginning of a document as a tree is made of.
func selectable(text []byte) []byte {
	text = text[:min(len(text), maxSelected)]
	if bytes.Count(text, []byte("<")) <= maxSelectedTags {
		return text
	}
	end := 0
	for range maxSelectedTags {
		end += bytes.IndexByte(text[end:], '<') + 1
	}
	return text[:end-1]
}

package main

import (
	"fmt"
	"strings"

	"pace/crawl"
)

// brokenText lists the broken links with the pages that have them.
func brokenText(links []crawl.BrokenLink) string {
	if links == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", countOf(int64(len(links)), "broken link"))
	for _, l := range links {
		fmt.Fprintf(&b, "%s: %s\n", escape(l.URL), escape(l.Error))
		if l.Text != "" {
			fmt.Fprintf(&b, "  the text is \"%s\"\n", escape(l.Text))
		}
		for _, page := range l.Referrers {
			fmt.Fprintf(&b, "  on %s\n", escape(page))
		}
	}
	return b.String()
}

package site

import (
	"testing"
	"time"
)

func TestRules(t *testing.T) {
	const end = "\nSitemap: http://a.test/sitemap.xml\n"
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "User-agent: *\nDisallow:\n" + end},
		{Options{Disallow: []string{"/p/1", "*?x"}}, "User-agent: *\nDisallow: /p/1\nDisallow: *?x\n" + end},
		{Options{CrawlDelay: 2 * time.Second}, "User-agent: *\nDisallow:\nCrawl-delay: 2\n" + end},
		{Options{CrawlDelay: 1500 * time.Microsecond, Disallow: []string{"/"}}, "User-agent: *\nDisallow: /\nCrawl-delay: 0.0015\n" + end},
		{Options{Robots: "x"}, "x"},
	} {
		if got := body(t, get(New(c.o), "http://a.test/robots.txt")); got != c.want {
			t.Errorf("%+v: %q, want %q", c.o, got, c.want)
		}
	}
}

package site

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// locations returns the URLs in a sitemap whose root element is the given one.
func locations(t *testing.T, s *Site, url, root string) []string {
	t.Helper()
	resp := get(s, url)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	var doc struct {
		XMLName xml.Name
		URL     []string `xml:"url>loc"`
		Sitemap []string `xml:"sitemap>loc"`
	}
	if err := xml.Unmarshal([]byte(body(t, resp)), &doc); err != nil {
		t.Fatal(url, err)
	}
	if doc.XMLName != (xml.Name{Space: "http://www.sitemaps.org/schemas/sitemap/0.9", Local: root}) {
		t.Fatalf("%s is a %v", url, doc.XMLName)
	}
	return append(doc.URL, doc.Sitemap...)
}

// checkPages checks that the URLs are those of n pages, in order.
func checkPages(t *testing.T, urls []string, n int) {
	t.Helper()
	if len(urls) != n {
		t.Fatalf("%d URLs, want %d", len(urls), n)
	}
	for i, u := range urls {
		want := "http://a.test/p/" + strconv.Itoa(i)
		if i == 0 {
			want = "http://a.test/"
		}
		if u != want {
			t.Fatalf("URL %d is %s", i, u)
		}
	}
}

func TestSitemap(t *testing.T) {
	for _, pages := range []int{1, 50_000} {
		s := New(Options{Pages: pages})
		checkPages(t, locations(t, s, "http://a.test/sitemap.xml", "urlset"), pages)
		if resp := get(s, "/sitemap-1.xml"); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%d pages have a second sitemap: %s", pages, resp.Status)
		}
	}
}

func TestSitemapIndex(t *testing.T) {
	const pages = 100_001
	s := New(Options{Pages: pages})
	var urls []string
	parts := locations(t, s, "http://a.test/sitemap.xml", "sitemapindex")
	for _, part := range parts {
		urls = append(urls, locations(t, s, part, "urlset")...)
	}
	if got := strings.Join(parts, " "); got !=
		"http://a.test/sitemap-1.xml http://a.test/sitemap-2.xml http://a.test/sitemap-3.xml" {
		t.Error(got)
	}
	checkPages(t, urls, pages)
	for _, path := range []string{"/sitemap-0.xml", "/sitemap-4.xml", "/sitemap-x.xml", "/sitemap-1", "/favicon.ico"} {
		if resp := get(s, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

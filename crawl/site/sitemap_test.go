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

func TestSmallSitemaps(t *testing.T) {
	for pages, want := range map[int]int{1: 0, 10: 0, 11: 2, 20: 2, 21: 3} {
		s := New(Options{Pages: pages, SitemapURLs: 10})
		if want == 0 {
			checkPages(t, locations(t, s, "http://a.test/sitemap.xml", "urlset"), pages)
			continue
		}
		parts := locations(t, s, "http://a.test/sitemap.xml", "sitemapindex")
		if len(parts) != want {
			t.Errorf("%d pages have %d sitemaps, want %d", pages, len(parts), want)
		}
		var urls []string
		for _, part := range parts {
			urls = append(urls, locations(t, s, part, "urlset")...)
		}
		checkPages(t, urls, pages)
	}
}

func TestCompressedSitemaps(t *testing.T) {
	const pages = 25
	for _, gzip := range []bool{false, true} {
		s := New(Options{Pages: pages, SitemapURLs: 10, Gzip: gzip})
		suffix := map[bool]string{false: ".xml", true: ".xml.gz"}[gzip]
		parts := locations(t, s, "http://a.test/sitemap.xml", "sitemapindex")
		if len(parts) != 3 || parts[2] != "http://a.test/sitemap-3"+suffix {
			t.Errorf("gzip %t: %v", gzip, parts)
		}
		if text := body(t, get(s, "http://a.test/robots.txt")); !strings.Contains(text, "\nSitemap: http://a.test/sitemap"+suffix+"\n") {
			t.Errorf("gzip %t: %q", gzip, text)
		}
		for _, name := range []string{"sitemap", "sitemap-1", "sitemap-3"} {
			plain := body(t, get(s, "/"+name+".xml"))
			packed := get(s, "/"+name+".xml.gz", "Accept-Encoding", "gzip")
			if h := packed.Header; h.Get("Content-Type") != "application/gzip" || h.Get("Content-Encoding") != "" {
				t.Errorf("%s.xml.gz: %v", name, h)
			}
			if got := unzip(t, packed.Body); got != plain {
				t.Errorf("%s.xml.gz: %q, want %q", name, got, plain)
			}
			coded := get(s, "/"+name+".xml", "Accept-Encoding", "gzip")
			switch {
			case !gzip && coded.Header.Get("Content-Encoding") != "", gzip && coded.Header.Get("Content-Encoding") != "gzip":
				t.Errorf("gzip %t: %s.xml: %v", gzip, name, coded.Header)
			case gzip && unzip(t, coded.Body) != plain:
				t.Errorf("%s.xml, compressed, is another", name)
			}
		}
	}
	for _, path := range []string{"/sitemap-4.xml.gz", "/sitemap-01.xml", "/sitemap-+1.xml", "/sitemap.gz", "/.gz", "/sitemap.xml.gz.gz"} {
		if resp := get(New(Options{Pages: pages, SitemapURLs: 10}), path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// A sitemap may have 50 MiB: of very long URLs, fewer than 50,000.
func TestSitemapOfLongURLs(t *testing.T) {
	const pages = 50_000
	host := strings.Repeat("a", 2000) + ".test"
	s := New(Options{Pages: pages})
	parts := locations(t, s, "http://"+host+"/sitemap.xml", "sitemapindex")
	urls := 0
	for _, part := range parts {
		text := body(t, get(s, part))
		if len(text) > 50<<20 {
			t.Errorf("a sitemap of %d bytes", len(text))
		}
		urls += strings.Count(text, "<loc>")
	}
	if len(parts) != 2 || urls != pages {
		t.Errorf("%d sitemaps with %d URLs", len(parts), urls)
	}
}

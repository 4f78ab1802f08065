package crawl

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

// sitemapOf parses a sitemap and returns its entries as lines: "loc", "loc lastmod" or "sitemap loc".
func sitemapOf(r io.Reader) (lines []string, err error) {
	err = parseSitemap(r, func(e sitemapEntry) error {
		line := strings.TrimSpace(e.loc + " " + e.lastMod)
		if e.sitemap {
			line = "sitemap " + line
		}
		lines = append(lines, line)
		return nil
	})
	return lines, err
}

const urlset = `<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`

func TestParseSitemap(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"space", " \n\t", nil},
		{"urlset", urlset + "<url><loc>http://a/1</loc><lastmod>2026-01-02</lastmod></url>\n<url>\n<loc>\n http://a/2 </loc><priority>0.5</priority></url></urlset>", []string{"http://a/1 2026-01-02", "http://a/2"}},
		{"index", `<sitemapindex><sitemap><loc>http://a/s.xml</loc><lastmod>2026-01-02</lastmod></sitemap></sitemapindex>`, []string{"sitemap http://a/s.xml"}},
		{"text", "http://a/1\r\n  https://a/2\n\nno URL\n/relative\nHTTP://a/3", []string{"http://a/1", "https://a/2", "HTTP://a/3"}},
		{"text with a mark", "\xef\xbb\xbfhttp://a/1\n", []string{"http://a/1"}},
		{"RSS", `<rss version="2.0"><channel><link>http://a/</link><item><title>x</title><link>http://a/1</link></item></channel></rss>`, []string{"http://a/1"}},
		{"Atom", `<feed xmlns="http://www.w3.org/2005/Atom"><link href="http://a/"/><entry><link rel="edit" href="http://a/e"/><link href='http://a/1?b&amp;c'/><updated>2026-01-02T03:04:05Z</updated></entry></feed>`, []string{"http://a/1?b&c 2026-01-02T03:04:05Z"}},
		{"HTML", `<!doctype html><html><body><url><loc>http://a/</loc></url>`, nil},
		{"references", urlset + "<url><loc>http://a/?b&amp;c&#38;d&#x26;e&lt;&bogus;&</loc></url>", []string{"http://a/?b&c&d&e<&bogus;&"}},
		{"CDATA", urlset + "<url><loc>http://a/<![CDATA[?b&amp;<c>]]>d</loc></url>", []string{"http://a/?b&amp;<c>d"}},
		{"comments", urlset + "<!-- <url><loc>http://no/</loc></url> --><url><loc>http://a/<!-- x -->1</loc></url>", []string{"http://a/1"}},
		{"document type", `<!DOCTYPE urlset [ <!ENTITY x "<url>"> <!-- > --> ]>` + urlset + "<url><loc>http://a/1</loc></url>", []string{"http://a/1"}},
		{"images", urlset + `<url><loc>http://a/1</loc><image:image><image:loc>http://no/</image:loc></image:image><image:loc>http://no/</image:loc></url>`, []string{"http://a/1"}},
		{"a prefix of its own", `<s:urlset xmlns:s="x"><s:url><s:loc>http://a/1</s:loc><loc>http://no/</loc></s:url></s:urlset>`, []string{"http://a/1"}},
		{"an element inside", urlset + "<url><loc>http://a/<b>no</b>1</loc></url>", []string{"http://a/1"}},
		{"several locs", urlset + "<url><loc>http://no/</loc><loc>http://a/1</loc></url>", []string{"http://a/1"}},
		{"no loc", urlset + "<url><lastmod>2026-01-02</lastmod></url><url><loc/></url><url/>", nil},
		{"elsewhere", urlset + "<loc>http://no/</loc><x><url><loc>http://no/</loc></url></x>", nil},
		{"dates", urlset + "<url><loc>u</loc><lastmod>yesterday</lastmod></url><url><loc>v</loc><lastmod> 2026-01 </lastmod></url><url><loc>w</loc></url>", []string{"u", "v 2026-01", "w"}},
		{"attributes", `<urlset a='>' b="<url><loc>http://no/</loc></url>" / c><url x=y><loc >http://a/1</loc ></url >`, []string{"http://a/1"}},
		{"cut off", urlset + "<url><loc>http://a/1</loc></url><url><loc>http://no", []string{"http://a/1"}},
		{"a long one", urlset + "<url><loc>http://a/" + strings.Repeat("x", 20<<10) + "</loc></url><url><loc>http://a/2</loc></url>", []string{"http://a/2"}},
		{"long lines", "http://a/" + strings.Repeat("x", 100<<10) + "\nhttp://a/2", []string{"http://a/2"}},
		{"too many ends", "</a></b></c>" + urlset + "<url><loc>http://a/1</loc></url>", []string{"http://a/1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wide := []byte{0xff, 0xfe}
			for _, unit := range utf16.Encode([]rune(strings.TrimPrefix(c.text, "\ufeff"))) {
				wide = append(wide, byte(unit), byte(unit>>8))
			}
			for form, r := range map[string]io.Reader{
				"plain": strings.NewReader(c.text), "gzip": strings.NewReader(zipped(c.text)), "UTF-16": bytes.NewReader(wide),
				"a byte at a time": iotest.OneByteReader(strings.NewReader(c.text)),
			} {
				got, err := sitemapOf(r)
				if d := cmp.Diff(c.want, got); d != "" || err != nil {
					t.Errorf("%s: %v (-want +got):\n%s", form, err, d)
				}
			}
		})
	}
}

// repeated reads a beginning and then the same text n times.
func repeated(begin, text string, n int) io.Reader {
	batch := strings.Repeat(text, 1000)
	parts := []io.Reader{strings.NewReader(begin)}
	for range n / 1000 {
		parts = append(parts, strings.NewReader(batch))
	}
	return io.MultiReader(parts...)
}

func TestSitemapBounds(t *testing.T) {
	entry := "<url><loc>http://a/1</loc></url>"
	const size = 8 << 20 // far below what a sitemap may have, for the race detector's sake
	for _, c := range []struct {
		name string
		r    io.Reader
		want int
		err  error
	}{
		{"as many as may be", repeated(urlset, entry, maxSitemapURLs), maxSitemapURLs, nil},
		{"more", repeated(urlset, entry, maxSitemapURLs+1000), maxSitemapURLs, errSitemapURLs},
		{"more lines", repeated("", "http://a/1\n", maxSitemapURLs+1000), maxSitemapURLs, errSitemapURLs},
		{"large", repeated(urlset+entry, strings.Repeat("x", 1000), 10_000), 1, errSitemapSize},
		{"a large comment", repeated(urlset+entry+"<!--", strings.Repeat("x", 1000), 10_000), 1, errSitemapSize},
		{"a large name", repeated(urlset+entry+"<", strings.Repeat("x", 1000), 10_000), 1, errSitemapSize},
		{"a large value", repeated(urlset+entry+"<a b='", strings.Repeat("x", 1000), 10_000), 1, errSitemapSize},
		{"deep", repeated(urlset+entry, "<a>", 1_000_000), 1, nil},
		{"a bomb", strings.NewReader(zipped(urlset + entry + strings.Repeat(" ", 10_000_000))), 1, errSitemapSize},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			grown := peakHeap(func() {
				err := parseSitemapUpTo(size, c.r, func(sitemapEntry) error { n++; return nil })
				if n != c.want || !errors.Is(err, c.err) {
					t.Errorf("%d entries: %v; want %d, %v", n, err, c.want, c.err)
				}
			})
			if grown > 16<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
		})
	}
	stop := errors.New("stop")
	if err := parseSitemap(repeated(urlset, entry, 1000), func(sitemapEntry) error { return stop }); err != stop {
		t.Errorf("the error is %v", err)
	}
}

// oracleSitemap is what encoding/xml reads in a sitemap; false if that accepts no such document.
func oracleSitemap(text string) (lines []string, ok bool) {
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			return nil, false
		}
	}
	var path []string
	var prefix, loc, mod string
	at := func(want string) bool { return strings.Join(path, "/") == want }
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.RawToken()
		if err == io.EOF {
			return lines, true
		}
		switch token := token.(type) {
		case xml.StartElement:
			if len(path) == 0 {
				prefix = token.Name.Space
			}
			name := token.Name.Local
			if token.Name.Space != prefix {
				name = token.Name.Space + ":" + name
			}
			path = append(path, name)
			switch {
			case at("urlset/url") || at("sitemapindex/sitemap") || at("rss/channel/item") || at("feed/entry"):
				loc, mod = "", ""
			case at("urlset/url/loc") || at("sitemapindex/sitemap/loc") || at("rss/channel/item/link"):
				loc = ""
			case at("urlset/url/lastmod") || at("feed/entry/updated"):
				mod = ""
			case at("feed/entry/link"):
				href, rel := "", ""
				for _, a := range token.Attr {
					if a.Name.Space == "" && a.Name.Local == "href" {
						href = a.Value
					}
					if a.Name.Space == "" && a.Name.Local == "rel" {
						rel = a.Value
					}
				}
				if strings.Trim(rel, whiteSpace+"\v\u0085\u00a0") == "" || strings.TrimSpace(rel) == "alternate" {
					loc = href
				}
			}
		case xml.CharData:
			switch {
			case at("urlset/url/loc") || at("sitemapindex/sitemap/loc") || at("rss/channel/item/link"):
				loc += string(token)
			case at("urlset/url/lastmod") || at("feed/entry/updated"):
				mod += string(token)
			}
		case xml.EndElement:
			sitemap := at("sitemapindex/sitemap")
			if sitemap || at("urlset/url") || at("rss/channel/item") || at("feed/entry") {
				if loc = strings.TrimSpace(loc); loc != "" {
					line := strings.TrimSpace(loc + " " + lastModOf(strings.TrimSpace(mod)))
					if sitemap {
						line = "sitemap " + loc
					}
					lines = append(lines, line)
				}
			}
			path = path[:len(path)-1]
		}
	}
}

// FuzzSitemap compares what is read with what encoding/xml reads, in documents that it accepts.
func FuzzSitemap(f *testing.F) {
	f.Add(urlset + "<url><loc>http://a/?b&amp;c&#38;</loc><lastmod>2026-01-02</lastmod></url></urlset>")
	f.Add(`<sitemapindex><sitemap><loc><![CDATA[http://a/]]></loc></sitemap></sitemapindex>`)
	f.Add(`<!DOCTYPE x [<!ENTITY a "b">]><s:urlset xmlns:s="x"><!-- c --><s:url><s:loc>u<b/>v</s:loc></s:url></s:urlset>`)
	f.Add(`<rss><channel><item><link>http://a/1</link></item></channel></rss>`)
	f.Add(`<feed><entry><link rel="alternate" href="http://a/1"/><updated>2026</updated></entry></feed>`)
	f.Add("http://a/\nhttp://b/")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := sitemapOf(strings.NewReader(text))
		if err != nil && !strings.HasPrefix(text, "\x1f\x8b") {
			t.Errorf("no reader fails: %v", err)
		}
		want, ok := oracleSitemap(text)
		if !ok || len(text) > maxReference || !strings.HasPrefix(strings.TrimLeft(text, whiteSpace), "<") {
			return
		}
		plain := func(lines []string) []string {
			var out []string
			for _, line := range lines {
				out = append(out, strings.ReplaceAll(strings.ReplaceAll(line, "\r", ""), "\n", ""))
			}
			return out
		}
		if d := cmp.Diff(plain(want), plain(got)); d != "" {
			t.Errorf("(-encoding/xml +ours):\n%s", d)
		}
	})
}

// mapOf returns a sitemap of pages.
func mapOf(urls ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		var b strings.Builder
		for _, u := range urls {
			fmt.Fprintf(&b, "<url><loc>%s</loc><lastmod>2026-01-02</lastmod></url>", u)
		}
		_, _ = io.WriteString(w, urlset+b.String()+"</urlset>")
	}
}

func indexOf(urls ...string) http.HandlerFunc {
	return htmlPage("<sitemapindex><sitemap><loc>" + strings.Join(urls, "</loc></sitemap><sitemap><loc>") + "</loc></sitemap></sitemapindex>")
}

func TestSitemaps(t *testing.T) {
	const a = "http://a.test"
	type pages = map[string]http.HandlerFunc
	home := []string{a + "/ 200"}
	for _, c := range []struct {
		name    string
		pages   func() pages
		options func(*Options)
		want    []string
	}{
		{"not asked for", func() pages { return pages{"/sitemap.xml": mapOf(a + "/1")} }, func(o *Options) { o.Sitemaps = false }, home},
		{"where most have it", func() pages { return pages{"/sitemap.xml": mapOf(a+"/1", a+"/1#x", "/2", "mailto:x")} }, nil,
			[]string{a + "/ 200", a + "/1 404", a + "/2 404"}},
		{"where robots.txt says", func() pages {
			return pages{"/robots.txt": htmlPage("Sitemap: /s1\nSitemap: http://a.test/s2"), "/s1": mapOf(a + "/1"), "/s2": mapOf(a + "/2"), "/sitemap.xml": mapOf(a + "/no")}
		}, nil, []string{a + "/ 200", a + "/1 404", a + "/2 404"}},
		{"an index, gzip, text, redirects", func() pages {
			return pages{"/sitemap.xml": indexOf(a+"/s1.gz", a+"/s2.txt", a+"/s3", a+"/gone"),
				"/s1.gz": func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, zipped(urlset+"<url><loc>/1</loc></url>"))
				},
				"/s2.txt": htmlPage(a + "/2\n"), "/s3": redirect("/s4"), "/s4": withHeader("Content-Encoding", "br", htmlPage(encoded(urlset+"<url><loc>/4</loc></url>", "br")))}
		}, nil, []string{a + "/ 200", a + "/1 404", a + "/2 404", a + "/4 404"}},
		{"indexes in indexes end", func() pages {
			return pages{"/sitemap.xml": indexOf(a + "/i2"), "/i2": indexOf(a+"/i3", a+"/sitemap.xml"), "/i3": indexOf(a + "/i4"), "/i4": mapOf(a + "/no")}
		}, nil, home},
		{"out of scope, private, traps, excluded, disallowed", func() pages {
			return pages{"/robots.txt": htmlPage("User-agent: *\nDisallow: /secret\nSitemap: /s\nSitemap: /secret/s\nSitemap: http://10.0.0.1/s"),
				"/s":        mapOf(a+"/secret", "http://b.test/", "http://10.0.0.1/", a+"/x/x/x/x", a+"/not/this", a+"/1"),
				"/secret/s": mapOf(a + "/no")}
		}, func(o *Options) { o.Exclude = []*regexp.Regexp{regexp.MustCompile("/not/")} }, []string{a + "/ 200", a + "/1 404"}},
		{"from another host, as robots.txt says", func() pages {
			return pages{"a.test/robots.txt": htmlPage("Sitemap: http://b.test/i\nSitemap: http://b.test/secret\nSitemap: http://d.test/moved"),
				"b.test/robots.txt": htmlPage("User-agent: *\nDisallow: /secret\nSitemap: http://b.test/no"),
				"b.test/i":          indexOf("http://b.test/s", "http://c.test/no", a+"/s"), "b.test/s": mapOf(a+"/1", "http://b.test/x"),
				"b.test/secret": mapOf(a + "/no"), "b.test/no": mapOf(a + "/no"), "c.test/no": mapOf(a + "/no"), "a.test/s": mapOf(a + "/2"),
				"d.test/moved": redirect("http://c.test/s"), "c.test/s": mapOf(a + "/3")}
		}, nil, []string{a + "/ 200", a + "/1 404", a + "/2 404", a + "/3 404"}},
		{"from another host, as nobody says", func() pages {
			return pages{"a.test/robots.txt": htmlPage(""), "a.test/sitemap.xml": redirect("http://b.test/s"), "b.test/s": mapOf(a + "/no")}
		}, nil, home},
		{"as deep as a seed", func() pages { return pages{"/sitemap.xml": mapOf(a + "/1"), "/1": links("/2"), "/2": links("/3")} },
			func(o *Options) { o.Depth = 1 }, []string{a + "/ 200", a + "/1 200", a + "/2 200"}},
		{"robots.txt only for this", func() pages {
			return pages{"/robots.txt": htmlPage("User-agent: *\nDisallow: /\nCrawl-delay: 9\nSitemap: /s"), "/s": mapOf(a + "/1")}
		}, func(o *Options) { o.IgnoreRobots = true }, []string{a + "/ 200", a + "/1 404"}},
		{"a seed that is one", func() pages { return pages{"/s.xml": mapOf(a+"/1", a+"/2")} },
			func(o *Options) { o.Seeds = []string{a + "/s.xml"}; o.Depth = 0 }, []string{a + "/1 404", a + "/2 404", a + "/s.xml 200"}},
		{"a page too", func() pages { return pages{"/": links("/sitemap.xml"), "/sitemap.xml": mapOf(a + "/1")} }, nil,
			[]string{a + "/ 200", a + "/1 404", a + "/sitemap.xml 200"}},
		{"at most so many pages", func() pages { return pages{"/sitemap.xml": mapOf(a+"/1", a+"/2", a+"/3")} },
			func(o *Options) { o.MaxPages = 2 }, []string{a + "/ 200", a + "/1 404"}},
		{"after another try", func() pages {
			return pages{"/sitemap.xml": first(raw(okHeader+"Content-Length: 999\r\n\r\n"+urlset+"<url><loc>/1</loc></url>"), mapOf(a+"/1", a+"/2"))}
		}, func(o *Options) { o.Retries = 1 }, []string{a + "/ 200", a + "/1 404", a + "/2 404"}},
		{"broken", func() pages {
			return pages{"/robots.txt": htmlPage("Sitemap: /s1\nSitemap: /s2\nSitemap: /s3\nSitemap: /s4\nSitemap: ftp://x/"), "/s1": status(500), "/s2": raw("x"),
				"/s3": redirect("/s3?"), "/s4": withHeader("Content-Encoding", "gzip", htmlPage("x"))}
		}, nil, home},
	} {
		t.Run(c.name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, m limiter.Mode) {
				p := c.pages()
				if p["/"] == nil {
					p["/"] = htmlPage("")
				}
				o := newWorld(t, p).options(m, a+"/")
				o.Sitemaps, o.Retries = true, 0
				if c.options != nil {
					c.options(&o)
				}
				records, report, err := crawl(t, o)
				got := outcomeOf(records, report)
				slices.Sort(got.lines)
				if d := cmp.Diff(c.want, got.lines); d != "" || err != nil || got.failed != 0 {
					t.Errorf("%v, %d failed (-want +got):\n%s", err, got.failed, d)
				}
				for _, r := range records {
					if strings.HasSuffix(r.URL, "/1") && o.Sitemaps && strings.HasPrefix(c.name, "where most") && r.LastMod != "2026-01-02" {
						t.Errorf("%s was changed %q", r.URL, r.LastMod)
					}
				}
			})
		})
	}
}

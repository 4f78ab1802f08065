package crawl

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlainName(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		url  string
		kind fileKind
		want string
	}{
		{"http://a.test/", fileHTML, "a.test/index.html"},
		{"http://a.test:81/d/", fileHTML, "a.test+81/d/index.html"},
		{"http://[::1]:81/d", fileHTML, "[%3A%3A1]%3A81/d.html"},
		{"http://a.test/p.php?a=1&b=/../x", fileHTML, "a.test/p.php@a=1&b=%2F..%2Fx.html"},
		{"http://a.test/p.HTM", fileHTML, "a.test/p.HTM"},
		{"http://a.test/s.css?v=3", fileCSS, "a.test/s.css@v=3.css"},
		{"http://a.test/x.js?1", fileScript, "a.test/x.js@1.js"},
		{"http://a.test/i.php", fileSVG, "a.test/i.php.svg"},
		{"http://a.test/i.png", fileOther, "a.test/i.png"},
		{"http://a.test/d/?q", fileHTML, "a.test/d/index@q.html"},
		{"http://a.test/a%20b%C3%BC", fileOther, "a.test/a bü"},
		{"http://a.test/%ff%25", fileOther, "a.test/%25FF%2525"},
		{"http://a.test/..%2f..%2fetc", fileOther, "a.test/..%2F..%2Fetc"},
		{"http://a.test/%5c..%5cx", fileOther, "a.test/%5C..%5Cx"},
		{"http://a.test/%00%0a%7f", fileOther, "a.test/%00%0A%7F"},
		{"http://a.test//x///y", fileOther, "a.test/%/x/%/%/y"},
		{"http://a.test/con/NUL.txt/com1.a.b/COM/coma", fileOther, "a.test/_con/_NUL.txt/_com1.a.b/COM/coma"},
		{"http://a.test/x./y%20/z...", fileOther, "a.test/x%2E/y%20/z..%2E"},
		{"http://a.test/a:b*c|d<e", fileOther, "a.test/a%3Ab%2Ac%7Cd%3Ce"},
		{"http://a.test/%E2%80%AEfdp.exe", fileOther, "a.test/%E2%80%AEfdp.exe"},
		{"http://a.test/" + long + ".png", fileOther, "a.test/" + long[:160] + "~" + nameHash(long+".png", 16) + ".png"},
		{"http://a.test/" + strings.Repeat(long+"/", 5), fileHTML,
			"a.test/%long/" + nameHash("http://a.test/"+strings.Repeat(long+"/", 5), 32) + ".html"},
		{"http://.pace-mirror/", fileHTML, "%2Epace-mirror/index.html"},
	} {
		if got := plainName(mustURL(t, tt.url), tt.kind); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.url, got, tt.want)
		}
	}
}

// FuzzPlainName wants names that stay in the folder and that every system can have.
func FuzzPlainName(f *testing.F) {
	for _, seed := range []string{"/..%2f..", "/con", "/a//b?c#d", "/%e2%80%ae", "/.%2e/x", "/" + strings.Repeat("ü", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := ParseURL("http://a.test/" + path)
		if err != nil {
			return
		}
		for kind := range fileSVG + 1 {
			name := plainName(u, kind)
			if !filepath.IsLocal(name) || !fs.ValidPath(name) || len(name) > maxName+300 || strings.ContainsAny(name, "\\:*?\"<>|\x00") {
				t.Fatalf("%s: %q", u, name)
			}
			parts := strings.Split(name, "/")
			if parts[0] != "a.test" || len(parts) < 2 {
				t.Fatalf("%s: %q", u, name)
			}
			for _, part := range parts {
				if len(part) > 255 || reserved(part) || strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") {
					t.Fatalf("%s: the part %q", u, part)
				}
			}
		}
	})
}

func TestAssignNames(t *testing.T) {
	const html = "text/html"
	pages := []mirrorLine{
		{URL: "http://a.test/", ContentType: html, SHA256: "1"},
		{URL: "http://a.test/A.html", ContentType: html, SHA256: "2"},
		{URL: "http://a.test/a.html", ContentType: html, SHA256: "2"},
		{URL: "http://a.test/d", SHA256: "3"},
		{URL: "http://a.test/d/e", SHA256: "4"},
		{URL: "http://a.test/index.html", ContentType: html, SHA256: "1"},
		{URL: "http://a.test/kept", SHA256: "9", Name: "a.test/kept", isFile: true},
		{URL: "http://a.test/kept/on", SHA256: "10"},
		{URL: "http://a.test/old", ContentType: html, SHA256: "11"},
		{URL: "http://a.test/x/", ContentType: html, SHA256: "5"},
		{URL: "http://a.test/x/index.html", ContentType: html, SHA256: "6"},
		{URL: "http://index.html/", ContentType: html, SHA256: "7"},
		{URL: "https://a.test/", ContentType: html, SHA256: "8"},
	}
	names := map[string]string{}
	written := assignNames(pages, names, func(name string) bool { return name == "a.test/old.html" })
	got := map[string]string{}
	for url, name := range names {
		got[url] = strings.ReplaceAll(name, nameHash(url, 8), "HASH")
		if !written[url] {
			got[url] += " shared"
		}
	}
	want := map[string]string{
		"http://a.test/": "a.test/index.html", "http://a.test/A.html": "a.test/A.html", "http://a.test/a.html": "a.test/a~HASH.html",
		"http://a.test/d": "a.test/d~HASH", "http://a.test/d/e": "a.test/d/e", "http://a.test/index.html": "a.test/index.html shared",
		"http://a.test/kept": "a.test/kept shared", "http://a.test/kept/on": "a.test/%long/HASH" + nameHash("http://a.test/kept/on", 32)[8:],
		"http://a.test/old": "a.test/old~HASH.html", "http://a.test/x/": "a.test/x/index.html", "http://a.test/x/index.html": "a.test/x/index~HASH.html",
		"http://index.html/": "index.html/index.html", "https://a.test/": "a.test/index~HASH.html",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
}

package crawl

import (
	"strings"
	"testing"
)

func TestCSSURLs(t *testing.T) {
	for _, tt := range []struct{ css, want string }{
		{`a{background:url(x.png)}`, "asset x.png"},
		{`a{background:URL( "x y.png" )}`, "asset x y.png"},
		{`a{background:url('x').b{c:url(y)}`, "asset x|asset y"},
		{`@import "a.css";@IMPORT url(b.css) screen;@import/**/ 'c.css';`, "style a.css|style b.css|style c.css"},
		{`@import url("a.css") layer(x) supports(display: grid);`, "style a.css"},
		{`@font-face{src:url(a.woff2) format("woff2"),url(b.woff)}`, "asset a.woff2|asset b.woff"},
		{`/* url(x) @import "y" */ a{b:url(z)}`, "asset z"},
		{`/* url(x)`, ""},
		{`a::before{content:"url(x)"}`, ""},
		{`a{content:"\"url(x)";b:url(y)}`, "asset y"},
		{"a{content:\"not ended\n;b:url(y)}", "asset y"},
		{`a{b:url(\78\.png)}`, "asset x.png"},
		{`a{b:url("\000078 y")}`, "asset xy"},
		{`a{b:url(a b)}.c{d:url(e)}`, "asset e"},
		{`a{b:url(a"b)}`, ""},
		{`a{b:url()}`, ""},
		{`a{b:url("")}`, "asset "},
		{`a{b:url(x`, ""},
		{`a{b:myurl(x)}`, ""},
		{`a{b:my-url(x) url-x(y)}`, ""},
		{`@import x "y"`, ""},
		{`@import;"y"`, ""},
		{`@importx "y"`, ""},
		{`a{b:image-set("x.png" 1x, url(y.png) 2x)}`, "asset y.png"},
		{"\\", ""},
		{`"\`, ""},
		{`url(\`, ""},
		{"é{b:url(ü)}", "asset ü"},
	} {
		var got []string
		end := 0
		for ref := range cssURLs([]byte(tt.css)) {
			got = append(got, ref.kind.String()+" "+ref.url())
			if ref.start < end || ref.end <= ref.start || ref.end > len(tt.css) {
				t.Errorf("%s: the token is at %d to %d", tt.css, ref.start, ref.end)
			}
			end = ref.end
		}
		if s := strings.Join(got, "|"); s != tt.want {
			t.Errorf("%s: %q, want %q", tt.css, s, tt.want)
		}
	}
}

// FuzzCSSURLs wants every token to be where it is said to be: read on its own, it is the same URL. It would also find an
// endless loop.
func FuzzCSSURLs(f *testing.F) {
	for _, seed := range []string{`@import "a";b{c:url(d) URL('\65\' ')}`, "/**/@import url(x)", `"\`, "url(\\\n)"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, css []byte) {
		end := 0
		for ref := range cssURLs(css) {
			if ref.start < end {
				t.Fatalf("%q: two tokens overlap at %d", css, ref.start)
			}
			end = ref.end
			token := string(css[ref.start:ref.end])
			if ref.kind == KindStyle {
				token = "@import " + token
			}
			n := 0
			for again := range cssURLs([]byte(token)) {
				if n++; again.url() != ref.url() || again.kind != ref.kind {
					t.Fatalf("%q: %q, read again %q", css, ref.url(), again.url())
				}
			}
			if n != 1 {
				t.Fatalf("%q: the token %q has %d URLs", css, token, n)
			}
			// What is written in its place means what was meant.
			if url := ref.url(); !strings.ContainsAny(url, "\r\f\x00") {
				for again := range cssURLs([]byte("@import " + cssToken(url, ref.bare))) {
					if again.url() != url {
						t.Fatalf("%q is written as %s, which is %q", url, cssToken(url, ref.bare), again.url())
					}
				}
			}
		}
	})
}

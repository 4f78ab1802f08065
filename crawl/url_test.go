package crawl

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseURL(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"http://example.com", "http://example.com/"},
		{"  HTTP://EXAMPLE.com:80/a#b\n", "http://example.com/a"},
		{"https://example.com:0443/", "https://example.com/"},
		{"https://example.com:08443/", "https://example.com:8443/"},
		{"https://example.com:80/", "https://example.com:80/"},
		{"http://example.com:/", "http://example.com/"},
		{"http://example.com/?", "http://example.com/"},
		{"http://example.com?a=b#?", "http://example.com/?a=b"},
		{"http://example.com/a/../../b/./c/.", "http://example.com/b/c/"},
		{"http://example.com/a/%2e%2E/b/.%2e", "http://example.com/"},
		{"http://example.com//a//../b", "http://example.com//a/b"},
		// The case of an encoding is one form; what it encodes is not decoded, for a server may tell the two apart.
		{"http://example.com/%7euser/%41%c3%a9?q=%3d%zz%", "http://example.com/%7Euser/%41%C3%A9?q=%3D%zz%"},
		{"http://example.com/ü ^`{}'?ü ^`{}'", "http://example.com/%C3%BC%20%5E%60%7B%7D'?%C3%BC%20^`{}%27"},
		{"http://example.com/a\xffb", "http://example.com/a%EF%BF%BDb"},
		{"http://example.com\\a\\b", "http://example.com/a/b"},
		{"http:example.com/a", "http://example.com/a"},
		{"ht\ntp://exa\tmple.com/a\rb", "http://example.com/ab"},
		{"http://bücher.example/", "http://xn--bcher-kva.example/"},
		{"http://XN--BCHER-kva.example/", "http://xn--bcher-kva.example/"},
		{"http://%65xample.com/", "http://example.com/"},
		{"http://0x7f.1/", "http://127.0.0.1/"},
		{"http://2130706433/", "http://127.0.0.1/"},
		{"http://[0:0::1]:8080/", "http://[::1]:8080/"},
		{"http://@example.com/", "http://example.com/"},
		{"http://-6.example/", "http://-6.example/"},
		{"http://-%44/", "http://-d/"},
		{"http://my_host.example.com./", "http://my_host.example.com./"},
	} {
		u, err := ParseURL(tt.in)
		if err != nil || u.String() != tt.want {
			t.Errorf("ParseURL(%q) = %q, %v; want %q", tt.in, u, err, tt.want)
		}
	}
}

func TestParseURLErrors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"example.com", "no scheme, such as https://"},
		{"", "no scheme, such as https://"},
		{"/path", "no scheme, such as https://"},
		{"localhost:8080", errNotHTTP.Error()},
		{"ftp://example.com/", errNotHTTP.Error()},
		{"file:///etc/passwd", errNotHTTP.Error()},
		{"java\tscript:alert(1)", errNotHTTP.Error()},
		{"http://user@example.com/", errCredentials.Error()},
		{"http://:secret@example.com/", errCredentials.Error()},
		{"http://", "does not contain a host"},
		{"http://a b/", "forbidden domain code point"},
		{"http://example.com:65536/", "outside the range"},
		{"http://example.com:8o/", "port is not a number"},
		{"http://" + strings.Repeat("a.", maxHost/2) + "a/", errLongHost.Error()},
		{"http://256.0.0.1/", "greater than 255"},
		{"http://[::1/", "missing the closing"},
		{"http://-6/", "forbidden domain code point"}, // the library's 255.255.255.250
		{"http://-6.1/", "forbidden domain code point"},
		{"http://example.0x+6./", "forbidden domain code point"},
		{"http://[[::1]]/", "forbidden domain code point"},
		{"http://example.com/" + strings.Repeat("a", maxReference), errLongURL.Error()},
	} {
		u, err := ParseURL(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseURL(%q) = %q, %v; want an error with %q", clip(tt.in), u, err, tt.want)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("ParseURL(%q): the error has %d bytes", clip(tt.in), len(err.Error()))
		}
	}
}

func TestResolve(t *testing.T) {
	const base = "http://example.com:8080/a/b/c?q=1"
	for _, tt := range []struct{ ref, want string }{
		{"", base},
		{"#top", base},
		{" \t\n ", base},
		{"d", "http://example.com:8080/a/b/d"},
		{"./d/", "http://example.com:8080/a/b/d/"},
		{"../d#x?y", "http://example.com:8080/a/d"},
		{"../../../../d", "http://example.com:8080/d"},
		{"..", "http://example.com:8080/a/"},
		{".", "http://example.com:8080/a/b/"},
		{"?", "http://example.com:8080/a/b/c"},
		{"?r=2", "http://example.com:8080/a/b/c?r=2"},
		{"/", "http://example.com:8080/"},
		{"/d?r#s", "http://example.com:8080/d?r"},
		{"/..//d", "http://example.com:8080//d"},
		{"//Other.example/d", "http://other.example/d"},
		{"///other.example/d", "http://other.example/d"},
		{"//other.example", "http://other.example/"},
		{"https://other.example?x", "https://other.example/?x"},
		{"http:d", "http://example.com:8080/a/b/d"},
		{"https:d", "https://d/"},
		{"d:8", ""},
		{"./d:8", "http://example.com:8080/a/b/d:8"},
		{"1:8", "http://example.com:8080/a/b/1:8"},
		{"d/e:8", "http://example.com:8080/a/b/d/e:8"},
		{"..d/...", "http://example.com:8080/a/b/..d/..."},
		{"d #x", "http://example.com:8080/a/b/d%20"},
		{"d\t #x", "http://example.com:8080/a/b/d%20"},
		{"mailto:a@b.example", ""},
		{"JavaScript:void(0)", ""},
		{"data:text/html,x#" + strings.Repeat("a", 10*maxReference), ""},
		{"d#" + strings.Repeat("a", 10*maxReference), "http://example.com:8080/a/b/d"},
	} {
		u, err := mustParse(t, base).Resolve(tt.ref)
		if tt.want == "" {
			if !errors.Is(err, errNotHTTP) {
				t.Errorf("%q: got %q, %v; want %v", clip(tt.ref), u, err, errNotHTTP)
			}
		} else if err != nil || u.String() != tt.want {
			t.Errorf("%q: got %q, %v; want %q", clip(tt.ref), u, err, tt.want)
		}
	}
}

func TestURLParts(t *testing.T) {
	for _, tt := range []struct {
		in, scheme, host, hostPort, authority, origin, path, requestURI string
		port                                                            uint16
	}{
		{"http://Example.com", "http", "example.com", "example.com:80", "example.com", "http://example.com", "/", "/", 80},
		{"https://example.com/a?b", "https", "example.com", "example.com:443", "example.com", "https://example.com", "/a", "/a?b", 443},
		{"http://example.com:81?b", "http", "example.com", "example.com:81", "example.com:81", "http://example.com:81", "/", "/?b", 81},
		{"http://example.com:0/", "http", "example.com", "example.com:0", "example.com:0", "http://example.com:0", "/", "/", 0},
		{"http://[::1]/", "http", "::1", "[::1]:80", "[::1]", "http://[::1]", "/", "/", 80},
		{"https://[::1]:8/a", "https", "::1", "[::1]:8", "[::1]:8", "https://[::1]:8", "/a", "/a", 8},
	} {
		u := mustParse(t, tt.in)
		got := [...]string{u.Scheme(), u.Host(), u.HostPort(), u.Authority(), u.Origin(), u.Path(), u.RequestURI()}
		want := [...]string{tt.scheme, tt.host, tt.hostPort, tt.authority, tt.origin, tt.path, tt.requestURI}
		if got != want || u.Port() != tt.port {
			t.Errorf("%s: got %q %d, want %q %d", tt.in, got, u.Port(), want, tt.port)
		}
	}
	if zero := (URL{}); zero.String()+zero.Scheme()+zero.Host()+zero.Origin()+zero.RequestURI() != "" {
		t.Error("the zero URL has parts")
	}
}

func TestTrap(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{"/", ""},
		{strings.Repeat("a", trapLength-len("http://example.com/")), ""},
		{strings.Repeat("a", trapLength-len("http://example.com/")+1), "longer than 2 KiB"},
		{"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t", ""},
		{"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/", ""},
		{"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u", "more than 20 segments"},
		{"a/b/a/c/a/d", ""},
		{"a/b/a/c/a/d/a", "more than 3 times"},
		{"?" + strings.Repeat("/a", 30), ""}, // a query is no path
		{"a////b", ""},
		{"a/////b", "more than 3 times"},
	} {
		got := mustParse(t, "http://example.com/"+strings.TrimPrefix(tt.path, "/")).trap()
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", clip(tt.path), got, tt.want)
		}
	}
}

// The fast path gives what the standard's parser does, or leaves it to that.
func FuzzResolve(f *testing.F) {
	for _, ref := range []string{
		"", "a", "/a/../b", "?q='", "//Host:81/x", "https://h.example/%2e./a", "http:x", "a b%c3ü", "..//../", "a:b", "//A:0", "//-6",
	} {
		f.Add("http://example.com/a/b?c", ref)
	}
	f.Fuzz(func(t *testing.T, base, ref string) {
		b, err := ParseURL(base)
		if err != nil {
			b = mustParse(t, "https://example.com:8443/a/b/c?d")
		}
		ref, _, _ = strings.Cut(trimControls(ref), "#")
		if len(ref) > maxReference {
			return
		}
		if scheme, ok := schemeOf(ref); ok && scheme != "http" && scheme != "https" {
			return
		}
		text, fast, ok := b.resolveFast(nil, ref, classesOf(ref))
		if !ok {
			return
		}
		fast.text = string(text)
		standard, want, err := b.resolveStandard(ref)
		if want.text = string(standard); err != nil || fast != want {
			t.Errorf("Resolve(%q, %q): the fast path gives %+v, the standard %+v, %v", b, ref, fast, want, err)
		}
	})
}

// A canonical form is its own canonical form, and safe to send.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{
		"http://example.com:80/%7e/%2e%2e/a b?#", "https://BÜCHER.example/ü?ü'", "http://0x7f.1/\\..\\x", "http://[::ffff:1.2.3.4]/", "http://a..b./",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseURL(s)
		if err != nil {
			return
		}
		again, err := ParseURL(u.String())
		if err != nil || again != u {
			if len(u.String()) > maxReference {
				return // encoding has made it too long to be parsed again, and trap refuses it
			}
			t.Fatalf("%q is %+v, which is %+v, %v", s, u, again, err)
		}
		for _, c := range []byte(u.String()) {
			if c <= ' ' || c >= utf8.RuneSelf || c == 0x7f || c == '#' {
				t.Fatalf("%q is %q, with the byte %q in it", s, u, c)
			}
		}
		for _, ref := range []string{u.String(), "//" + u.Authority() + u.RequestURI(), ""} {
			if got, err := u.Resolve(ref); err != nil || got != u {
				t.Fatalf("%q resolved on %q is %q, %v", ref, u, got, err)
			}
		}
	})
}

func mustParse(t testing.TB, s string) URL {
	t.Helper()
	u, err := ParseURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func BenchmarkResolve(b *testing.B) {
	base := mustParse(b, "http://example.com/docs/15/index.html")
	for _, bm := range []struct{ name, ref string }{
		{"relative", "sql-createtable.html#SQL-CREATETABLE-COMPATIBILITY"},
		{"parent", "../16/sql-createtable.html"},
		{"absolute-path", "/docs/current/sql-createtable.html?lang=en&v=15"},
		{"absolute", "https://www.example.org/docs/current/sql-createtable.html"},
		{"encoded", "/wiki/%C3%9Cber_uns"},
		{"mailto", "mailto:someone@example.com"},
		{"standard", "http://bücher.example/docs/current/sql-createtable.html"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = base.Resolve(bm.ref)
			}
		})
	}
}

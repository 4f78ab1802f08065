package crawl

import (
	"strings"
	"testing"
)

func TestToUTF8(t *testing.T) {
	ascii := strings.Repeat("<p>ascii</p>", 100) // more than the 1024 bytes that are looked at for a meta element
	for _, tt := range []struct{ name, body, contentType, want, charset string }{
		{"nothing said, ASCII", "a", "text/html", "a", "utf-8"},
		{"nothing said, UTF-8", ascii + "ü", "", ascii + "ü", "utf-8"},
		{"nothing said, not UTF-8", ascii + "\xfc\x80", "", ascii + "ü€", "windows-1252"},
		{"header", "\xfc", "text/html; charset=ISO-8859-1", "ü", "windows-1252"},
		{"header, quoted", "\xd1", `text/html;x=y;Charset="koi8-r"`, "я", "koi8-r"},
		{"header, unknown", "ü", "text/html; charset=nonsense", "ü", "utf-8"},
		{"header over meta", "<meta charset=koi8-r>ü", "text/html; charset=utf-8", "<meta charset=koi8-r>ü", "utf-8"},
		{"mark over header", "\xef\xbb\xbfü", "text/html; charset=koi8-r", "ü", "utf-8"},
		{"UTF-16 with a mark", "\xff\xfe<\x00\xfc\x00", "", "<ü", "utf-16le"},
		{"UTF-16 by header", "\x00<\x00\xfc", "text/html; charset=utf-16be", "<ü", "utf-16be"},
		{"an odd byte of UTF-16", "\xfe\xff\x00<\x00", "", "<\ufffd", "utf-16be"},
		{"meta", "<meta charset=' koi8-r '>\xd1", "", "<meta charset=' koi8-r '>я", "koi8-r"},
		{"meta, http-equiv", `<META content="text/html; charset = koi8-r; x" http-equiv=Content-Type>` + "\xd1", "",
			`<META content="text/html; charset = koi8-r; x" http-equiv=Content-Type>я`, "koi8-r"},
		{"content without http-equiv", `<meta content="text/html; charset=koi8-r">ü`, "",
			`<meta content="text/html; charset=koi8-r">ü`, "utf-8"},
		{"meta in a comment", "<!--<meta charset=koi8-r>-->ü", "", "<!--<meta charset=koi8-r>-->ü", "utf-8"},
		{"meta says UTF-16", "<meta charset=utf-16>ü", "", "<meta charset=utf-16>ü", "utf-8"},
		{"a second meta", "<meta charset=nonsense><meta charset=koi8-r>\xd1", "", "<meta charset=nonsense><meta charset=koi8-r>я", "koi8-r"},
		{"meta too late", ascii + "<meta charset=koi8-r>ü", "", ascii + "<meta charset=koi8-r>ü", "utf-8"},
		{"two bytes a character", "\x95\\", "text/html; charset=shift_jis", "表", "shift_jis"},
		{"escape sequences", "\x1b$B$\"\x1b(B", "text/html; charset=iso-2022-jp", "あ", "iso-2022-jp"},
		{"wrong UTF-8 stays", "a\xff", "text/html; charset=utf-8", "a\xff", "utf-8"},
		{"a retired encoding", "<a href=x>", "text/html; charset=hz-gb-2312", "\ufffd", "replacement"},
		{"empty", "", "", "", "utf-8"},
	} {
		got, charset := toUTF8([]byte(tt.body), tt.contentType)
		if string(got) != tt.want || charset != tt.charset {
			t.Errorf("%s: got %q, %s; want %q, %s", tt.name, got, charset, tt.want, tt.charset)
		}
	}
}

func TestCharsetIn(t *testing.T) {
	for content, want := range map[string]string{
		"":                               "",
		"charset":                        "",
		"charset=":                       "",
		"text/html; CHARSET\t=\tUTF-8 x": "utf-8",
		"charset='a b'":                  "a b",
		`charset="a`:                     "",
		"charset charset=a;b":            "a",
	} {
		if got := charsetIn(content); got != want {
			t.Errorf("%q: got %q, want %q", content, got, want)
		}
	}
}

// Only the query is sent in the document's encoding, whose bytes are encoded by the query's set: 表 is 0x95 0x5C in
// Shift_JIS, and the second is a backslash.
func TestQueryInCharset(t *testing.T) {
	for _, tt := range []struct{ charset, url, want string }{
		{"utf-8", "/ü?ü#ü", "/%C3%BC?%C3%BC"},
		{"windows-1252", "/ü?ü=ü&a#ü", "/%C3%BC?%FC=%FC&a"},
		{"windows-1252", "/ü#?ü", "/%C3%BC"},
		{"windows-1252", "/?üя€", "/?%FC%26%231103%3B%80"},
		{"shift_jis", "/?表", "/?%95\\"},
		{"iso-2022-jp", "/?ああx", `/?%1B$B$%22$%22%1B(Bx`},
		{"utf-16le", "/?ü", "/?%C3%BC"},
		{"replacement", "/?ü", "/?%C3%BC"},
	} {
		var s scanner
		page := s.scan([]byte(`<a href="`+tt.url+`">`), scanOptions{Charset: tt.charset})
		got, err := mustParse(t, "http://example.com").Resolve(page.Links[0].URL)
		if err != nil || got.RequestURI() != tt.want {
			t.Errorf("%s %s: got %s, %v; want %s", tt.charset, tt.url, got, err, tt.want)
		}
	}
}

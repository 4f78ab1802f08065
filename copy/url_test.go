package copy

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestNameOf(t *testing.T) {
	for _, c := range []struct{ url, disposition, want string }{
		{"http://h/a/big.iso", "", "big.iso"},
		{"http://h/a/big.iso?v=1&x=/y", "", "big.iso"},
		{"http://h/a%20b.txt", "", "a b.txt"},
		{"http://h/a%2Fb.txt", "", "b.txt"}, // the name ends at a slash, however it is written
		{"http://h/", "", "index.html"},
		{"http://h", "", "index.html"},
		{"http://h/dir/", "", "index.html"},
		{"http://h/..", "", "index.html"},
		{"http://h/x", `attachment; filename="name.bin"`, "name.bin"},
		{"http://h/x", `attachment; filename=name.bin`, "name.bin"},
		{"http://h/x", `attachment; filename*=UTF-8''na%C3%AFve%20name`, "naïve name"},
		{"http://h/x", `attachment; filename="../../etc/passwd"`, "passwd"},
		{"http://h/x", `attachment; filename="C:\\Windows\\system.ini"`, "system.ini"},
		{"http://h/x", `attachment; filename=".bashrc"`, "_bashrc"},
		{"http://h/x", `attachment; filename=".."`, "x"},
		{"http://h/x", `attachment; filename="-rf"`, "_rf"},
		{"http://h/x", `attachment; filename="a:b*c?.txt"`, "a_b_c_.txt"},
		{"http://h/x", `attachment; filename="con.txt"`, "_con.txt"},
		{"http://h/x", `attachment; filename="CON .txt"`, "_CON .txt"},
		{"http://h/x", `attachment; filename="lpt²"`, "_lpt²"},
		{"http://h/x", `attachment; filename="conout$"`, "_conout$"},
		{"http://h/x", `attachment; filename="com12"`, "com12"},
		{"http://h/x", `attachment; filename="` + strings.Repeat("y ", 300) + `"`, strings.Repeat("y ", 119) + "y"},
		{"http://h/x", `attachment; filename="end. . "`, "end"},
		{"http://h/x", `attachment; filename=""`, "x"},
		{"http://h/x", `attachment; filename=a b c`, "x"}, // no header that can be read
		{"http://h/x", `inline`, "x"},
		{"http://h/a%00b%0ac", "", "a_b_c"},
		{"http://h/%ff", "", "_"},
		{"http://h/" + strings.Repeat("ä", 300) + ".tar.gz", "", strings.Repeat("ä", 118) + ".gz"},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := nameOf(u, http.Header{"Content-Disposition": {c.disposition}}); got != c.want {
			t.Errorf("%s, %s: got %q, want %q", c.url, c.disposition, got, c.want)
		}
	}
}

// Whatever a server says, the name stays in its folder and is one that can be made.
func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"a", "../x", `..\x`, "\x00", ".", "..", "-", "....", "CON", "a/", strings.Repeat("x", 400), "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := cleanName(s)
		if name == "" {
			return
		}
		if filepath.Base(name) != name || !filepath.IsLocal(name) || len(name) > longest || !utf8.ValidString(name) ||
			strings.ContainsAny(name, "/\\\x00\n") || name[0] == '.' || name[0] == '-' {
			t.Errorf("%q becomes %q", s, name)
		}
	})
}

func TestShownURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://h/a?b=c":                                        "http://h/a?b=c",
		"https://ann:secret@h/a":                                "https://h/a",
		"https://h/a?X-Amz-Signature=abc&x=1":                   "https://h/a?X-Amz-Signature=...&x=1",
		"https://h/a?sv=1&sig=abc":                              "https://h/a?sv=1&sig=...",
		"https://h/a?access_token=abc":                          "https://h/a?access_token=...",
		"https://ann:sec%ret@h/a":                               "https://h/a", // not a URL, and not shown either
		"https://h/a?X-Amz-Security-Token=t&X-Amz-Credential=c": "https://h/a?X-Amz-Security-Token=...&X-Amz-Credential=...",
	} {
		if got := shownURL(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestParseContentRange(t *testing.T) {
	for in, want := range map[string]contentRange{
		"bytes 0-0/1":   {0, 1, 1},
		"bytes 5-9/10":  {5, 10, 10},
		"bytes 5-9/*":   {5, 10, -1},
		"Bytes 5-9/100": {5, 10, 100},
		"bytes */0":     {0, 0, 0},
		"bytes */77":    {0, 0, 77},
		"bytes 0-4611686018427387902/4611686018427387903": {0, 1<<62 - 1, 1<<62 - 1},
	} {
		if got, ok := parseContentRange(in); !ok || got != want {
			t.Errorf("%s: got %v, %t", in, got, ok)
		}
	}
	for _, in := range []string{
		"", "bytes", "bytes 0-0", "bytes 1-0/5", "bytes 0-5/5", "bytes -1-3/5", "bytes 0-3/+5", "bytes a-b/c", "items 0-0/1",
		"bytes */*", "bytes 0-9223372036854775807/*", "bytes 0/5", "bytes 0-1-2/5", "bytes 0-1/5/6",
	} {
		if got, ok := parseContentRange(in); ok {
			t.Errorf("%q is %v", in, got)
		}
	}
}

// A date tells versions apart only if the second that it names was over when it was said.
func TestVersionOf(t *testing.T) {
	at := longAgo.Format(http.TimeFormat)
	for name, c := range map[string]struct {
		etag, date string
		want       version
		young      bool
	}{
		"ETag":              {`"a"`, "", version{`"a"`, at}, false},
		"weak ETag":         {`W/"a"`, "", version{"", at}, false},
		"date":              {"", longAgo.Add(time.Second).Format(http.TimeFormat), version{"", at}, false},
		"this second":       {"", at, version{}, true},
		"the future":        {"", longAgo.Add(-time.Second).Format(http.TimeFormat), version{}, false},
		"ETag, this second": {`"a"`, at, version{`"a"`, ""}, false},
	} {
		h := http.Header{"Etag": {c.etag}, "Last-Modified": {at}, "Date": {c.date}}
		if got, young := versionOf(h, time.Now()); got != c.want || young != c.young {
			t.Errorf("%s: got %+v, %t", name, got, young)
		}
	}
}

// Chunks of a far source are large at first and small at the end, cover everything once, and are as many as were counted.
func TestCutterInShares(t *testing.T) {
	for _, c := range []struct {
		size, workers int64
		most          int64 // requests
	}{{1 << 30, 16, 160}, {12 * mib, 16, 64}, {3 * mib, 16, 12}, {300_000, 16, 2}, {1 << 30, 1, 80}, {100 << 30, 16, 7000}, {1, 1, 1}} {
		r := newRun(Options{Sources: []string{"http://h/"}, Workers: int(c.workers)})
		y := &relay{run: r, far: true}
		cut := y.cutterOf([]extent{{0, c.size / 3}, {c.size / 2, c.size}})
		want := cut.count()
		if c.size < 3 {
			cut = y.cutterOf([]extent{{0, c.size}})
			want = cut.count()
		}
		n, bytes, last := int64(0), int64(0), chunk{}
		for len(cut.extents) > 0 {
			k, _ := cut.next()
			if k.n <= 0 || k.n > mostAsked || k.off < last.off+last.n {
				t.Fatalf("%+v: %+v after %+v", c, k, last)
			}
			n, bytes, last = n+1, bytes+k.n, k
		}
		if n != want || n > c.most || c.size >= 3 && bytes != c.size/3+c.size-c.size/2 {
			t.Errorf("%+v: %d requests for %d bytes, counted %d", c, n, bytes, want)
		}
		if c.size > 1<<20 && last.n > max(leastAsked, c.size/c.workers) {
			t.Errorf("%+v: the last of %d requests has %d bytes", c, n, last.n)
		}
	}
}

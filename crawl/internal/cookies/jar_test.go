package cookies

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/publicsuffix"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func request(t *testing.T, text string) Request {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return Request{Secure: u.Scheme == "https", Host: u.Hostname(), Path: u.EscapedPath()}
}

func TestJar(t *testing.T) {
	for _, c := range []struct {
		name string
		from string // the URL that sets
		set  string // lines, with | between them
		to   string // the URL that is sent to
		want string
	}{
		{"a host's own", "http://a.test/", "k=v", "http://a.test/x", "k=v"},
		{"not for a host below", "http://a.test/", "k=v", "http://w.a.test/", ""},
		{"a domain's", "http://w.a.test/", "k=v; Domain=a.test", "http://x.a.test/", "k=v"},
		{"with a dot", "http://w.a.test/", "k=v; Domain=.A.Test", "http://a.test/", "k=v"},
		{"not for a stranger", "http://a.test/", "k=v; Domain=b.test", "http://b.test/", ""},
		{"not for a public suffix", "http://a.co.uk/", "k=v; Domain=co.uk", "http://b.co.uk/", ""},
		{"a public suffix for itself", "http://github.io/", "k=v; Domain=github.io", "http://github.io/", "k=v"},
		{"not for those below it", "http://github.io/", "k=v; Domain=github.io", "http://x.github.io/", ""},
		{"a name that only ends alike", "http://ba.test/", "k=v; Domain=a.test", "http://ba.test/", ""},
		{"an address", "http://127.0.0.1/", "k=v; Domain=127.0.0.1", "http://127.0.0.1/", "k=v"},
		{"the end of an address", "http://127.0.0.1/", "k=v; Domain=0.0.1", "http://127.0.0.1/", ""},
		{"localhost", "http://localhost/", "k=v", "http://localhost/", "k=v"},
		{"default path", "http://a.test/d/e", "k=v", "http://a.test/d/f", "k=v"},
		{"is a folder's", "http://a.test/d/e", "k=v", "http://a.test/", ""},
		{"a path", "http://a.test/", "k=v; Path=/d", "http://a.test/d/f", "k=v"},
		{"is whole segments", "http://a.test/", "k=v; Path=/d", "http://a.test/de", ""},
		{"https only", "https://a.test/", "k=v; Secure", "http://a.test/", ""},
		{"https", "https://a.test/", "k=v; Secure", "https://a.test/", "k=v"},
		{"secure from the clear", "http://a.test/", "k=v; Secure", "https://a.test/", ""},
		{"Max-Age", "http://a.test/", "k=v; Max-Age=10", "http://a.test/", "k=v"},
		{"Max-Age 0 removes", "http://a.test/", "k=v|k=; Max-Age=0", "http://a.test/", ""},
		{"a negative one too", "http://a.test/", "k=v|k=x; Max-Age=-99999999999999999999", "http://a.test/", ""},
		{"Max-Age is before Expires", "http://a.test/", "k=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=9", "http://a.test/", "k=v"},
		{"a date that is over removes", "http://a.test/", "k=v|k=x; Expires=Thu, 01-Jan-70 00:00:01 GMT", "http://a.test/", ""},
		{"a date to come", "http://a.test/", "k=v; expires=Sat Feb  7 2026 23:59:59 GMT+0100 (CET)", "http://a.test/", "k=v"},
		{"no date", "http://a.test/", "k=v; Expires=soon", "http://a.test/", "k=v"},
		{"the last one stays", "http://a.test/", "k=1|k=2", "http://a.test/", "k=2"},
		{"longer paths, then older ones first", "http://a.test/", "a=1|b=2; Path=/d|c=3|a=4", "http://a.test/d", "b=2; a=4; c=3"},
		{"quotes are part of it", "http://a.test/", `k="a b, c"`, "http://a.test/", `k="a b, c"`},
		{"an equals sign in a value", "http://a.test/", "k=a=b", "http://a.test/", "k=a=b"},
		{"no name", "http://a.test/", "v", "http://a.test/", "v"},
		{"nothing", "http://a.test/", "|=|; Path=/", "http://a.test/", ""},
		{"a control character", "http://a.test/", "k=a\x01b", "http://a.test/", ""},
		{"too large", "http://a.test/", "k=" + strings.Repeat("x", 5000), "http://a.test/", ""},
		{"__Secure- without it", "https://a.test/", "__Secure-k=v", "https://a.test/", ""},
		{"__Host- with a domain", "https://a.test/", "__Host-k=v; Secure; Path=/; Domain=a.test", "https://a.test/", ""},
		{"__Host-", "https://a.test/", "__Host-k=v; Secure; Path=/", "https://a.test/", "__Host-k=v"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var j Jar
			j.Set(request(t, c.from), strings.Split(c.set, "|"), now)
			if got := j.Header(request(t, c.to), now); got != c.want {
				t.Errorf("sends %q, want %q", got, c.want)
			}
		})
	}
}

func TestSecureCookiesAreNotOverwrittenInTheClear(t *testing.T) {
	var j Jar
	j.Set(request(t, "https://a.test/"), []string{"k=v; Secure; Domain=a.test"}, now)
	j.Set(request(t, "http://w.a.test/"), []string{"k=evil; Domain=a.test", "k=evil", "k=; Domain=a.test; Max-Age=0"}, now)
	if got := j.Header(request(t, "https://w.a.test/"), now); got != "k=v" {
		t.Errorf("sends %q", got)
	}
}

func TestCookiesExpire(t *testing.T) {
	var j Jar
	r := request(t, "http://a.test/")
	j.Set(r, []string{"a=1; Max-Age=10", "b=2; Max-Age=99999999999", "c=3"}, now)
	for after, want := range map[time.Duration]string{9 * time.Second: "a=1; b=2; c=3", 10 * time.Second: "b=2; c=3", maxAge: "c=3"} {
		if got := j.Header(r, now.Add(after)); got != want {
			t.Errorf("after %v: %q, want %q", after, got, want)
		}
	}
}

// TestJarIsBounded has a site that sets cookies without end, and sites without end.
func TestJarIsBounded(t *testing.T) {
	var j Jar
	for i := range 1000 {
		j.Set(request(t, "http://a.test/"), []string{fmt.Sprintf("k%d=%s", i, strings.Repeat("x", 100))}, now)
	}
	if n := len(j.sites["a.test"]); n != maxSite {
		t.Errorf("a site has %d cookies", n)
	}
	header := j.Header(request(t, "http://a.test/"), now)
	if len(header) > maxHeader || !strings.HasPrefix(header, "k820=") {
		t.Errorf("a header of %d bytes: %.20s", len(header), header)
	}
	for i := range 10_000 {
		j.Set(request(t, fmt.Sprintf("http://h%d.test/", i)), []string{"k=" + strings.Repeat("x", 4000)}, now)
	}
	total := 0
	for _, held := range j.sites {
		for _, c := range held {
			total += c.size()
		}
	}
	if total != j.bytes || total > maxJar {
		t.Errorf("%d bytes are counted as %d", total, j.bytes)
	}
}

// TestAgainstNetHTTP sets and asks for random cookies, here and in the standard library's jar.
func TestAgainstNetHTTP(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	hosts := []string{"example.com", "www.example.com", "a.www.example.com", "b.co.uk", "x.b.co.uk", "127.0.0.1", "localhost"}
	for range 3000 {
		theirs, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
		if err != nil {
			t.Fatal(err)
		}
		var ours Jar
		var log []string
		for range 12 {
			text := pick("http", "https") + "://" + pick(hosts...) + pick("/", "/d", "/d/", "/d/e", "/de")
			u, _ := url.Parse(text)
			line := pick("a", "b", "c") + "=" + pick("1", "2", "3") + pick("", "; Path=/", "; Path=/d", "; Path=d", "; Path=/d/") +
				pick("", "; Domain="+pick(append(hosts, "com", "co.uk", ".example.com")...)) +
				pick("", "; Max-Age=0", "; Max-Age=1000", "; Expires=Thu, 01 Jan 1970 00:00:01 GMT", "; HttpOnly")
			if u.Scheme == "https" && strings.Contains(text, "example.com") {
				line = "s" + line + pick("", "; Secure") // other names, which no http may touch
			}
			log = append(log, text+" "+line)
			theirs.SetCookies(u, (&http.Response{Header: http.Header{"Set-Cookie": {line}}}).Cookies())
			ours.Set(request(t, text), []string{line}, time.Now())

			text = pick("http", "https") + "://" + pick(hosts...) + pick("/", "/d", "/d/", "/d/e", "/de")
			u, _ = url.Parse(text)
			r := &http.Request{Header: http.Header{}}
			for _, c := range theirs.Cookies(u) {
				r.AddCookie(c)
			}
			if got, want := ours.Header(request(t, text), time.Now()), r.Header.Get("Cookie"); got != want {
				t.Fatalf("%s is sent %q, want %q, after\n%s", text, got, want, strings.Join(log, "\n"))
			}
		}
	}
}

func TestFile(t *testing.T) {
	file := "# Netscape HTTP Cookie File\n" +
		".a.test\tTRUE\t/\tFALSE\t0\tsession\tv\r\n" +
		"a.test\tFALSE\t/d\tTRUE\t4102444800\tlong\ta b\n" +
		"#HttpOnly_a.test\tFALSE\t/\tFALSE\t4102444800\thidden\t\n" +
		"a.test\tFALSE\t/\tFALSE\t1\tover\tv\n" +
		"a.test\tFALSE\t/\tFALSE\t4102444800\tempty\n" +
		"\n# comment\nno cookie\n\tFALSE\t/\tFALSE\t0\tk\tv\na.test\tFALSE\t/\tFALSE\tsoon\tk\tv\n" +
		"a.test\tFALSE\t/\tFALSE\t0\tlong\t" + strings.Repeat("x", 20<<10) + "\n" +
		"A.test\tFALSE\t/\tFALSE\t0\tlast\tv"
	path := filepath.Join(t.TempDir(), "jar")
	if err := os.WriteFile(path, []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	j, bad, err := Open(path, now)
	if err != nil || bad != 4 {
		t.Errorf("%d bad lines: %v", bad, err)
	}
	const want = "long=a b; session=v; hidden=; empty=; last=v"
	if got := j.Header(request(t, "https://a.test/d"), now); got != want {
		t.Errorf("sends %q, want %q", got, want)
	}
	if got := j.Header(request(t, "http://w.a.test/"), now); got != "session=v" {
		t.Errorf("a host below is sent %q", got)
	}
	if err := j.Save(path, now); err != nil {
		t.Fatal(err)
	}
	again, bad, err := Open(path, now)
	if err != nil || bad != 0 || again.Header(request(t, "https://a.test/d"), now) != want {
		t.Errorf("read again: %d bad lines, %v", bad, err)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Open(dir, now); err == nil {
		t.Error("a folder is read")
	}
	j, bad, err := Open(filepath.Join(dir, "nothing"), now)
	if err != nil || bad != 0 {
		t.Errorf("no file: %d, %v", bad, err)
	}
	if err := j.Save(filepath.Join(dir, "no", "where"), now); err == nil {
		t.Error("saved to nowhere")
	}
	if j, _, err = Open(os.DevNull, now); err != nil || j.Save(os.DevNull, now) != nil {
		t.Errorf("%s: %v", os.DevNull, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	link := filepath.Join(dir, "link")
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	if err := j.Save(link, now); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().IsRegular() {
		t.Errorf("the link has been replaced: %v, %v", info.Mode(), err)
	}
}

func TestDates(t *testing.T) {
	want := time.Date(2015, 10, 21, 7, 28, 0, 0, time.UTC)
	for _, s := range []string{
		"Wed, 21 Oct 2015 07:28:00 GMT", "Wednesday, 21-Oct-15 07:28:00 GMT", "Wed Oct 21 07:28:00 2015",
		"21 October 2015 7:28:0", "Wed,21-OCT-2015 07:28:00 UTC", "07:28:00 21/Oct/2015",
	} {
		if got, ok := parseDate(s); !ok || !got.Equal(want) {
			t.Errorf("%q is %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{
		"", "x", "Wed, 32 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 1600 07:28:00 GMT", "Wed, 21 Oct 2015", "Wed, 21 Foo 2015 07:28:00",
		"Wed, 21 Oct 2015 24:28:00", "Wed, 31 Feb 2015 07:28:00", "Wed, 21 Oct 2015 07:28", "0 Oct 2015 07:28:00",
	} {
		if got, ok := parseDate(s); ok {
			t.Errorf("%q is %v", s, got)
		}
	}
}

// FuzzFile reads a file, writes it and reads that again: the same cookies, none of which can break a request.
func FuzzFile(f *testing.F) {
	f.Add(".a.test\tTRUE\t/\tFALSE\t0\tk\tv\n#HttpOnly_b.test\tFALSE\t/x\tTRUE\t4102444800\tk\t\n# c\nbad\n")
	f.Fuzz(func(t *testing.T, file string) {
		var first, second Jar
		if _, err := first.Read(strings.NewReader(file), now); err != nil {
			t.Fatal(err)
		}
		var one, two bytes.Buffer
		if err := first.Write(&one, now); err != nil {
			t.Fatal(err)
		}
		bad, err := second.Read(bytes.NewReader(one.Bytes()), now)
		if err != nil || bad != 0 {
			t.Errorf("%d lines that were written are not read: %v", bad, err)
		}
		if err := second.Write(&two, now); err != nil || one.String() != two.String() {
			t.Errorf("%q is written again as %q", one.String(), two.String())
		}
		for _, held := range first.sites {
			for _, c := range held {
				header := first.Header(Request{Secure: true, Host: c.domain, Path: c.path}, now)
				if strings.ContainsAny(header, "\r\n\x00") || len(header) > maxHeader {
					t.Errorf("a header of %q", header)
				}
			}
		}
	})
}

// FuzzSetCookie has servers say anything.
func FuzzSetCookie(f *testing.F) {
	f.Add("k=v; Domain=.a.test; Path=/; Max-Age=9; Expires=Wed, 21 Oct 2065 07:28:00 GMT; Secure; HttpOnly")
	f.Fuzz(func(t *testing.T, line string) {
		var j Jar
		r := Request{Secure: true, Host: "w.a.test", Path: "/d/e"}
		j.Set(r, []string{line}, now)
		for _, host := range []string{"test", "b.test", "aw.a.test", "127.0.0.1"} {
			if got := j.Header(Request{Secure: true, Host: host, Path: "/d/e"}, now); got != "" && host != "aw.a.test" {
				t.Errorf("%s is sent %q", host, got)
			}
		}
		var file bytes.Buffer
		if err := j.Write(&file, now); err != nil {
			t.Fatal(err)
		}
		var read Jar
		before := j.Header(r, now)
		if bad, err := read.Read(&file, now); err != nil || bad > 0 && before != "" {
			t.Errorf("%q is written in %d bad lines: %v", line, bad, err)
		}
		if after := read.Header(r, now); after != before {
			t.Errorf("%q is kept as %q", before, after)
		}
	})
}

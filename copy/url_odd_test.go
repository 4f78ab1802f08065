package copy

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"pace/limiter"
)

// What is no URL is said without what may be secret in it.
func TestParseOddURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://h/%zz?X-Amz-Signature=secret": `http://h/%zz?X-Amz-Signature=... is not a URL: invalid URL escape "%zz"`,
		"http://u:secret%zz@h/x?token=secret": "http://h/x?token=... is not a URL; in names and passwords, odd characters are written as %XX",
		"http://u:secret pw@h/x":              "http://h/x is not a URL; in names and passwords, odd characters are written as %XX",
		"http://u:a/secret@h/f":               "http://h/f is not a URL; in names and passwords, odd characters are written as %XX",
		"http://h:port/x":                     `http://h:port/x is not a URL: invalid port ":port" after host`,
		"http:///x":                           "http:///x is not a URL with a host",
		"http://h/\nx":                        "http://h/\nx is not a URL: net/url: invalid control character in URL",
	} {
		if _, err := parseURL(in); err == nil || err.Error() != want {
			t.Errorf("%s: got %q, want %q", in, err, want)
		}
	}
	for in, want := range map[string]string{
		"HTTP://h/ä b?q=a b&ü=%20<\">#x y": "/%C3%A4%20b?q=a%20b&%C3%BC=%20%3C%22%3E",
		"http://u@h@k:p@h":                 "/",
	} {
		if u, err := parseURL(in); err != nil || u.RequestURI() != want {
			t.Errorf("%s: got %v, %v", in, u, err)
		}
	}
}

// Spaces and odd letters in a query, of a URL or of a redirect, reach the server as a browser sends them.
func TestHTTPOddQuery(t *testing.T) {
	data := random(1000)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		s := newRaw(t, func(r raw) bool {
			if strings.HasPrefix(r.RequestURI, "/to") {
				return r.good(data)
			}
			return r.say(nil, "HTTP/1.1 302 Found", "Location: /to me?x=ü y#z", "Content-Length: 0")
		})
		_, to := dirs(t)
		downloaded(t, fetch(to, s.url+"/from here?q=a b&ä", m))
		same(t, filepath.Join(to, "to me"), data)
		s.stop()
		for _, head := range s.heads {
			line, _, _ := strings.Cut(head, "\r\n")
			_, target, _ := strings.Cut(line, " ")
			if target != "/from%20here?q=a%20b&%C3%A4 HTTP/1.1" && target != "/to%20me?x=%C3%BC%20y HTTP/1.1" {
				t.Errorf("it is asked for %q", line)
			}
		}
	})
}

// A user may have any letters: the server gets them, and nobody else.
func TestHTTPOddUsers(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		o := newOrigin(t, random(1000))
		_, to := dirs(t)
		var l logs
		opts := fetch(to, strings.Replace(o.URL, "://", "://us%40er%2F:p%3A%20w%C3%A4@", 1)+"/f", m)
		opts.Log = l.logger()
		told := ""
		opts.Verbose = func(src, dst string) { told += src + dst }
		opts.Dest = filepath.Join(to, "nowhere", "f")
		report, err := quickly(opts).run(t.Context())
		if err == nil {
			t.Fatal("it has a folder")
		}
		told += err.Error() + report.Errors[0].Item + report.Errors[0].Error
		opts.Dest = to
		downloaded(t, opts)
		for _, r := range o.asked() {
			if user, password, _ := r.BasicAuth(); user != "us@er/" || password != "p: wä" {
				t.Errorf("%s %s has user %q, password %q", r.Method, r.URL, user, password)
			}
		}
		o.behave(func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true })
		_, err = quickly(opts).run(t.Context())
		told += err.Error() + l.text.String()
		if strings.Contains(told, "p: w") || strings.Contains(told, "%3A") || strings.Contains(told, "us@er") || strings.Contains(told, "us%40er") {
			t.Errorf("it is told in %s", told)
		}
	})
}

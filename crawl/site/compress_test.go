package site

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

func TestAcceptsGzip(t *testing.T) {
	for _, c := range []struct {
		fields []string
		want   bool
	}{
		{nil, false}, {[]string{""}, false}, {[]string{"identity"}, false}, {[]string{"br"}, false}, {[]string{"gzipped"}, false},
		{[]string{"gzip"}, true}, {[]string{"br, GZIP , zstd"}, true}, {[]string{"x-gzip"}, true},
		{[]string{"gzip;q=0.1"}, true}, {[]string{"gzip; q=0"}, false}, {[]string{"gzip;q=0.000"}, false}, {[]string{"gzip;Q=1"}, true},
		{[]string{"gzip;q=x"}, false}, {[]string{"gzip;level=9"}, true},
		{[]string{"*"}, true}, {[]string{"*;q=0"}, false}, {[]string{"gzip, *;q=0"}, true}, {[]string{"*;q=0, gzip"}, true},
		{[]string{"gzip;q=0, *"}, false}, {[]string{"*, gzip;q=0"}, false}, {[]string{"br", "gzip"}, true}, {[]string{"identity, *;q=0.5"}, true},
	} {
		if got := acceptsGzip(c.fields); got != c.want {
			t.Errorf("%q: %t, want %t", c.fields, got, c.want)
		}
	}
}

// unzip returns what a compressed body holds.
func unzip(t *testing.T, r io.Reader) string {
	t.Helper()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCompressedPages(t *testing.T) {
	plain, s := New(Options{Seed: 2}), New(Options{Seed: 2, Gzip: true})
	for _, path := range []string{"/", "/p/1", "/p/999"} {
		want := body(t, get(plain, path))
		resp := get(s, path, "Accept-Encoding", "gzip")
		packed := body(t, resp)
		if h := resp.Header; h.Get("Content-Encoding") != "gzip" || h.Get("Vary") != "Accept-Encoding" ||
			h.Get("Content-Length") != strconv.Itoa(len(packed)) || len(packed) > len(want)/2 {
			t.Errorf("%s: %d bytes of %d, %v", path, len(packed), len(want), h)
		}
		resp = get(s, path, "Accept-Encoding", "gzip")
		if got := unzip(t, resp.Body); got != want {
			t.Errorf("%s: %d bytes of %d, or others", path, len(got), len(want))
		}
		// Who does not accept it, or asks a site that does not offer it, has it plain.
		resp = get(s, path)
		if resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Vary") != "Accept-Encoding" || body(t, resp) != want {
			t.Errorf("%s, plain: %v", path, resp.Header)
		}
		resp = get(plain, path, "Accept-Encoding", "gzip")
		if resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Vary") != "" || body(t, resp) != want {
			t.Errorf("%s, without the option: %v", path, resp.Header)
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodHead, path, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		s.Handler().ServeHTTP(w, r)
		if w.Header().Get("Content-Length") != strconv.Itoa(len(packed)) {
			t.Errorf("HEAD %s: %v", path, w.Header())
		}
	}
}

// A long page is compressed as it is sent, and cut where it is to be cut.
func TestCompressedLongPage(t *testing.T) {
	o := Options{PageSize: 3 << 20, Gzip: true}
	want := body(t, get(New(o), "/p/1"))
	if len(want) != 3<<20 {
		t.Fatalf("%d bytes", len(want))
	}
	if got := unzip(t, get(New(o), "/p/1", "Accept-Encoding", "gzip").Body); got != want {
		t.Errorf("%d bytes of %d, or others", len(got), len(want))
	}
	o.ErrorRate, o.Faults = 1, parseFaults(t, "cut")
	server := newServer(t, New(o))
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get(server + "/p/1") // which accepts gzip
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if n, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || !resp.Uncompressed {
		t.Errorf("%d bytes, compressed: %t, %v", n, resp.Uncompressed, err)
	}
}

package exchange

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What is written without net/http is what net/http writes.
func FuzzPlainHead(f *testing.F) {
	f.Add("GET", "http://example.com/a?b", "", "X-A: b\nUser-Agent: me\nAccept: */*\nX-A: c", "")
	f.Add("", "http://example.com:8080", "other.example", "User-Agent: \nContent-Length: 5\nHost: x", "")
	f.Add("HEAD", "https://[::1]:1/", "[fe80::1%25eth0]", "Z:  spaces \nTrailer: x", "")
	f.Add("GET", "http://example.com/", "bücher.example", "", "//a b")
	f.Add("GET", "http://u:p@example.com/", "a b", "Referer: \r\n\nx", "/p\x7f")
	f.Fuzz(func(t *testing.T, method, address, host, fields, opaque string) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		u.Opaque = opaque
		req := &http.Request{Method: method, URL: u, Host: host, Header: http.Header{}}
		for line := range strings.SplitSeq(fields, "\n") {
			name, value, _ := strings.Cut(line, ":")
			req.Header.Add(name, value)
		}
		if check(req) != nil {
			return
		}
		h, ok := plainHead(req)
		if !ok {
			return
		}
		var got, want bytes.Buffer
		w := bufio.NewWriter(&got)
		if err := h.write(w); err != nil || w.Flush() != nil {
			t.Fatal(err)
		}
		if err := req.Write(&want); err != nil {
			t.Fatalf("net/http refuses what is written as %q: %v", &got, err)
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("written: %q, by net/http: %q", &got, &want)
		}
	})
}

func BenchmarkHead(b *testing.B) {
	req := &http.Request{
		URL:    &url.URL{Scheme: "http", Host: "127.0.0.1:8080", Opaque: "/p12345.html"},
		Header: http.Header{"User-Agent": {"pace/1"}, "Accept": {"*/*"}, "Accept-Encoding": {"gzip"}},
	}
	w := bufio.NewWriter(discard{})
	for name, write := range map[string]func() error{
		"own": func() error { return writeRequest(w, req) }, "net_http": func() error { return req.Write(w) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := write(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

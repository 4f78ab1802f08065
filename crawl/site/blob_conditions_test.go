package site

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"
)

// TestBlobConditions holds answers to RFC 9110, section 13.2.2: which precondition counts, and what it leads to.
func TestBlobConditions(t *testing.T) {
	s := New(Options{Seed: 5})
	etag := get(s, "/blob/1000").Header.Get("Etag")
	at := func(d time.Duration) string { return blobTime.Add(d).UTC().Format(http.TimeFormat) }
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"none of its tag", []string{"If-None-Match", etag}, 304},
		{"none of its tag, weakly", []string{"If-None-Match", "W/" + etag}, 304},
		{"none of several", []string{"If-None-Match", `"a", ` + etag}, 304},
		{"none of any", []string{"If-None-Match", "*"}, 304},
		{"none of another", []string{"If-None-Match", `"a"`}, 200},
		{"not changed since", []string{"If-Modified-Since", at(0)}, 304},
		{"not changed since later", []string{"If-Modified-Since", at(time.Hour)}, 304},
		{"changed since", []string{"If-Modified-Since", at(-time.Second)}, 200},
		{"no date", []string{"If-Modified-Since", "yesterday"}, 200},
		{"the tag goes before the date", []string{"If-None-Match", `"a"`, "If-Modified-Since", at(0)}, 200},
		{"match", []string{"If-Match", etag}, 200},
		{"match of another", []string{"If-Match", `"a"`}, 412},
		{"a weak match", []string{"If-Match", "W/" + etag}, 412},
		{"not changed", []string{"If-Unmodified-Since", at(0)}, 200},
		{"changed", []string{"If-Unmodified-Since", at(-time.Second)}, 412},
		{"a condition goes before the range", []string{"If-None-Match", etag, "Range", "bytes=0-0"}, 304},
		{"and before a bad one", []string{"If-Match", `"a"`, "Range", "bytes=5000-"}, 412},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := httptest.NewRequest(method, "/blob/1000", nil)
			for i := 0; i < len(c.headers); i += 2 {
				r.Header.Set(c.headers[i], c.headers[i+1])
			}
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			resp := w.Result()
			if resp.StatusCode != c.status || resp.Header.Get("Etag") != etag || c.status != 304 && resp.Header.Get("Last-Modified") != at(0) {
				t.Errorf("%s, %s: %d, %v; want %d", c.name, method, resp.StatusCode, resp.Header, c.status)
			}
			if n := len(body(t, resp)); c.status == 304 && n > 0 {
				t.Errorf("%s, %s: a body of %d bytes", c.name, method, n)
			}
		}
	}
}

func TestBlobHead(t *testing.T) {
	address := newServer(t, New(Options{RatePerConn: 1})) // which holds for bodies
	for path, want := range map[string]string{"/blob/0": "0", "/blob/5TiB": "5497558138880", "/p/1": strconv.Itoa(DefaultPageSize)} {
		resp, err := http.Head(address + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || resp.Header.Get("Content-Length") != want {
			t.Errorf("%s: %d, %v", path, resp.StatusCode, resp.Header)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestBlobMultipart holds multipart/byteranges to RFC 9110, section 14.6, over a network.
func TestBlobMultipart(t *testing.T) {
	const size = 1 << 20
	address := newServer(t, New(Options{}))
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ask := func(ranges string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/blob/1MiB", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Range", ranges)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	resp := ask("bytes=1-3,1000-1009,2-2,-5,1048570-9999999,5000000-")
	kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != 206 || kind != "multipart/byteranges" || err != nil || resp.Header.Get("Content-Range") != "" {
		t.Fatal(resp.Status, resp.Header, err)
	}
	etag := resp.Header.Get("Etag")
	counted := &countingReader{r: resp.Body}
	parts := multipart.NewReader(counted, params["boundary"])
	// What cannot be satisfied is left out; the order is the client's.
	for _, want := range [][2]int64{{1, 4}, {1000, 1010}, {2, 3}, {size - 5, size}, {1048570, size}} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(p)
		ranged := "bytes " + strconv.FormatInt(want[0], 10) + "-" + strconv.FormatInt(want[1]-1, 10) + "/" + strconv.Itoa(size)
		if err != nil || string(got) != content(t, 0, want[0], want[1]) || p.Header.Get("Content-Range") != ranged ||
			p.Header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%v: %d bytes, %v, %v", want, len(got), p.Header, err)
		}
	}
	if _, err := parts.NextPart(); !errors.Is(err, io.EOF) {
		t.Error("a part more:", err)
	}
	_, _ = io.Copy(io.Discard, counted)
	if resp.ContentLength != counted.n {
		t.Errorf("%d bytes, and the header says %d", counted.n, resp.ContentLength)
	}

	// One range that is left is no multipart; of none it says so; of another version all is sent.
	if resp := ask("bytes=9-9,5000000-"); resp.StatusCode != 206 || resp.Header.Get("Content-Range") != "bytes 9-9/1048576" {
		t.Errorf("one of two: %s, %v", resp.Status, resp.Header)
	}
	if resp := ask("bytes=5000000-,6000000-"); resp.StatusCode != 416 || resp.Header.Get("Content-Range") != "bytes */1048576" {
		t.Errorf("none of two: %s, %v", resp.Status, resp.Header)
	}
	if resp := ask("bytes=1-3,5-6", "If-Range", `"other"`); resp.StatusCode != 200 || resp.ContentLength != size {
		t.Errorf("of another version: %s, %v", resp.Status, resp.Header)
	}
	if resp := ask("bytes=1-3,5-6", "If-Range", etag); resp.StatusCode != 206 {
		t.Errorf("of this version: %s", resp.Status)
	}
	// Ranges that are more than the whole are answered with it (section 14.2 has servers guard against them).
	if resp := ask("bytes=0-,0-,0-"); resp.StatusCode != 200 || resp.ContentLength != size {
		t.Errorf("three times the whole: %s, %v", resp.Status, resp.Header)
	}
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

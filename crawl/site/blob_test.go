package site

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"testing"
	"testing/iotest"
	"time"
)

// content returns the bytes from..to of a site's blobs.
func content(t *testing.T, seed uint64, from, to int64) string {
	t.Helper()
	b := make([]byte, to-from)
	if _, err := NewBlob(seed, 1<<62).ReadAt(b, from); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBlobReader(t *testing.T) {
	for _, size := range []int64{0, 1, 7, 8, 9, 1000} {
		if err := iotest.TestReader(NewBlob(3, size), []byte(content(t, 3, 0, size))); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

func TestBlobIsTheSameFromAnyOffset(t *testing.T) {
	const from, size = 1<<42 + 3, 100
	whole := content(t, 0, from, from+size)
	for start := range int64(20) {
		for n := range int64(20) {
			if got := content(t, 0, from+start, from+start+n); got != whole[start:start+n] {
				t.Fatalf("%d bytes from +%d are %x", n, start, got)
			}
		}
	}
}

func TestBlobBlocksDiffer(t *testing.T) {
	b := []byte(content(t, 0, 0, 8<<20))
	seen := make(map[string]int, len(b)/8)
	for i := 0; i < len(b); i += 8 {
		if at, ok := seen[string(b[i:i+8])]; ok {
			t.Fatalf("the blocks at %d and %d are equal", at, i)
		}
		seen[string(b[i:i+8])] = i
	}
	if other := content(t, 1, 0, 8<<20); string(b) == other {
		t.Error("another seed has the same bytes")
	}
}

func TestBlobRange(t *testing.T) {
	const size = 1 << 20
	s := New(Options{Seed: 5})
	etag := get(s, "/blob/1MiB").Header.Get("Etag")
	other := get(s, "/blob/2MiB").Header.Get("Etag")
	if etag == "" || etag == other || etag == get(New(Options{Seed: 6}), "/blob/1MiB").Header.Get("Etag") {
		t.Fatalf("ETag %s is not this content's alone", etag)
	}
	date := blobTime.UTC().Format(http.TimeFormat)
	earlier := blobTime.Add(-time.Hour).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		name, ranges, ifRange string
		status                int
		from, to              int64
	}{
		{"none", "", "", 200, 0, size},
		{"first byte", "bytes=0-0", "", 206, 0, 1},
		{"unaligned", "bytes=13-100", "", 206, 13, 101},
		{"open end", "bytes=1048500-", "", 206, 1048500, size},
		{"suffix", "bytes=-5", "", 206, size - 5, size},
		{"suffix longer than the blob", "bytes=-99999999", "", 206, 0, size},
		{"end past the blob", "bytes=1048575-99999999", "", 206, size - 1, size},
		{"start at the end", "bytes=1048576-", "", 416, 0, 0},
		{"start past the end", "bytes=99999999-", "", 416, 0, 0},
		{"same content", "bytes=1-2", etag, 206, 1, 3},
		{"other content", "bytes=1-2", other, 200, 0, size},
		{"weak", "bytes=1-2", "W/" + etag, 200, 0, size},
		{"same date", "bytes=1-2", date, 206, 1, 3},
		{"earlier date", "bytes=1-2", earlier, 200, 0, size},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.ranges != "" {
				headers = append(headers, "Range", c.ranges)
			}
			if c.ifRange != "" {
				headers = append(headers, "If-Range", c.ifRange)
			}
			resp := get(s, "/blob/1MiB", headers...)
			got := body(t, resp)
			if resp.StatusCode != c.status {
				t.Fatalf("status %d, want %d", resp.StatusCode, c.status)
			}
			total := strconv.Itoa(size)
			if c.status == 416 {
				if h := resp.Header.Get("Content-Range"); h != "bytes */"+total {
					t.Errorf("Content-Range %q", h)
				}
				return
			}
			if got != content(t, 5, c.from, c.to) {
				t.Errorf("%d bytes that are not %d-%d", len(got), c.from, c.to)
			}
			want := ""
			if c.status == 206 {
				want = "bytes " + strconv.FormatInt(c.from, 10) + "-" + strconv.FormatInt(c.to-1, 10) + "/" + total
			}
			if h := resp.Header.Get("Content-Range"); h != want {
				t.Errorf("Content-Range %q, want %q", h, want)
			}
		})
	}
}

// An invalid range may be ignored or rejected (RFC 9110, section 14.2).
func TestBlobInvalidRange(t *testing.T) {
	for _, ranges := range []string{"bytes=5-4", "bytes=x-y", "bytes=-", "lines=1-2"} {
		if resp := get(New(Options{}), "/blob/10", "Range", ranges); resp.StatusCode != 416 {
			t.Errorf("%s: %d", ranges, resp.StatusCode)
		}
	}
}

func TestBlobOfTebibytes(t *testing.T) {
	resp := get(New(Options{}), "/blob/5TiB", "Range", "bytes=5497558138870-")
	if got := body(t, resp); resp.StatusCode != 206 || got != content(t, 0, 5<<40-10, 5<<40) {
		t.Errorf("status %d, %d bytes", resp.StatusCode, len(got))
	}
}

func TestBlobRanges(t *testing.T) {
	resp := get(New(Options{}), "/blob/1MiB", "Range", "bytes=1-3,1000-1009")
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || resp.StatusCode != 206 {
		t.Fatal(resp.Status, err)
	}
	parts := multipart.NewReader(resp.Body, params["boundary"])
	for _, want := range []string{content(t, 0, 1, 4), content(t, 0, 1000, 1010)} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(p); err != nil || string(got) != want {
			t.Errorf("part %s: %x, %v", p.Header.Get("Content-Range"), got, err)
		}
	}
}

func TestBlobSizes(t *testing.T) {
	s := New(Options{})
	for text, want := range map[string]int64{"0": 0, "1": 1, "1234": 1234, "3KiB": 3072, "2kB": 2000, "1.5MiB": 3 << 19} {
		if got := int64(len(body(t, get(s, "/blob/"+text)))); got != want {
			t.Errorf("/blob/%s has %d bytes, want %d", text, got, want)
		}
	}
	for _, text := range []string{"x", "-1", "+1", "10MiBps", "9223372036854775808", "16EiB", "1e3"} {
		if resp := get(s, "/blob/"+text); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("/blob/%s: %d", text, resp.StatusCode)
		}
	}
	exact := get(s, "/blob/9007199254740993", "Range", "bytes=0-0").Header.Get("Content-Range")
	if exact != "bytes 0-0/9007199254740993" { // no float64 holds it
		t.Error(exact)
	}
}

func TestBlobSeek(t *testing.T) {
	b := NewBlob(0, 100)
	if _, err := b.Seek(-1, io.SeekStart); err == nil {
		t.Error("seek before the start")
	}
	if at, err := b.Seek(-10, io.SeekEnd); at != 90 || err != nil {
		t.Error(at, err)
	}
	rest, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(rest, []byte(content(t, 0, 90, 100))) {
		t.Errorf("%x, %v", rest, err)
	}
	if _, err := b.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("read before the start")
	}
}

func BenchmarkBlob(b *testing.B) {
	blob, buf := NewBlob(0, 1<<40), make([]byte, 64<<10)
	b.SetBytes(int64(len(buf)))
	off := int64(1)
	for b.Loop() {
		if _, err := blob.ReadAt(buf, off); err != nil {
			b.Fatal(err)
		}
		off += int64(len(buf))
	}
}

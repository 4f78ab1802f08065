package crawl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"pace/limiter"
)

// encoders write each coding; "deflate-bare" is the deflate of servers that leave out the zlib format around it.
var encoders = map[string]func(w io.Writer) io.WriteCloser{
	"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 5) },
	"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"deflate-bare": func(w io.Writer) io.WriteCloser {
		fw, err := flate.NewWriter(w, flate.BestSpeed)
		if err != nil {
			panic(err)
		}
		return fw
	},
	"zstd": func(w io.Writer) io.WriteCloser {
		zw, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		if err != nil {
			panic(err)
		}
		return zw
	},
}

// encoded returns a body with codings applied in order.
func encoded(body string, names ...string) string {
	for _, name := range names {
		var b bytes.Buffer
		w := encoders[name](&b)
		if _, err := io.WriteString(w, body); err != nil {
			panic(err)
		}
		if err := w.Close(); err != nil {
			panic(err)
		}
		body = b.String()
	}
	return body
}

// header returns the value of Content-Encoding.
func header(names []string) string {
	return strings.ReplaceAll(strings.Join(names, ", "), "deflate-bare", "deflate")
}

// read decodes a body as a response's.
func readEncoded(value, body string, limit int64) (*response, error) {
	r := &response{}
	resp := &http.Response{Header: http.Header{"Content-Encoding": {value}}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body))}
	err := r.readBody(resp, limit, false, func(int64) {})
	return r, err
}

func TestCodings(t *testing.T) {
	plain := strings.Repeat("hello, hello, world ", 1000)
	for _, names := range [][]string{
		{"gzip"}, {"br"}, {"zstd"}, {"deflate"}, {"deflate-bare"}, {"gzip", "br"}, {"zstd", "deflate", "gzip"}, {"gzip", "gzip"},
	} {
		value, body := header(names), encoded(plain, names...)
		for range 3 { // the decoders are used again
			r, err := readEncoded(value, body, 1<<20)
			if err != nil || string(r.body) != plain {
				t.Errorf("%s: %d bytes, %v", value, len(r.body), err)
			}
			r.release()
			// An error in between must not show in the next body.
			for _, broken := range []string{body[:len(body)/2], body[:len(body)-1], "x" + body, "\xff\xff\xff\xff\xff\xff"} {
				// Of several codings the inner one may be whole when the end of the outer one is missing.
				if r, err := readEncoded(value, broken, 1<<20); err == nil && (len(names) == 1 || string(r.body) != plain) {
					t.Errorf("%s: %d broken bytes are taken for %d whole ones", value, len(broken), len(r.body))
				}
			}
		}
		if r, err := readEncoded(value, "", 1<<20); err != nil || len(r.body) != 0 {
			t.Errorf("%s: an empty body is %q, %v", value, r.body, err)
		}
		if _, err := readEncoded(value, body, 1000); err == nil || !strings.Contains(err.Error(), "--max-body") {
			t.Errorf("%s: a body over the limit: %v", value, err)
		}
	}
	for _, value := range []string{"gzip, br, zstd, gzip", "compress", "gzip, \x1b[31m"} {
		var e *bodyError
		if _, err := readEncoded(value, "x", 1<<20); !errors.As(err, &e) {
			t.Errorf("%q: %v", value, err)
		}
	}
	if r, err := readEncoded(" Identity ,, GZIP", encoded(plain, "gzip"), 1<<20); err != nil || string(r.body) != plain {
		t.Errorf("odd spelling: %v", err)
	}
}

// TestCodingsWithoutAResult has bodies that decode to nothing and go on.
func TestCodingsWithoutAResult(t *testing.T) {
	const limit = 100_000
	empty := map[string]string{
		"gzip":    encoded("", "gzip"),
		"zstd":    "\x50\x2a\x4d\x18\x04\x00\x00\x00xxxx", // a skippable frame (RFC 8878, section 3.1.2)
		"deflate": "\x00\x00\x00\xff\xff",                 // a stored block of nothing
	}
	for name, piece := range empty {
		n := 0
		body := io.Reader(strings.NewReader(""))
		for range 10 * limit / len(piece) {
			body = io.MultiReader(strings.NewReader(strings.Repeat(piece, limit/len(piece))), body)
			if n += limit; n > 10*limit {
				break
			}
		}
		r := &response{}
		resp := &http.Response{Header: http.Header{"Content-Encoding": {name}}, ContentLength: -1, Body: io.NopCloser(body)}
		read := int64(0)
		err := r.readBody(resp, limit, false, func(n int64) { read += n })
		if err == nil || read > limit+codedSlack {
			t.Errorf("%s: %d bytes are read: %v", name, read, err)
		}
	}
}

// TestBombs decodes what would be far more than it may be, many times at once, and a zstd frame that asks for a window of 1 GiB.
func TestBombs(t *testing.T) {
	piece := strings.Repeat("\x00", 1<<20)
	pages := map[string]http.HandlerFunc{"/window": withHeader("Content-Encoding", "zstd",
		htmlPage("\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00x"))}
	for _, names := range [][]string{{"gzip"}, {"br"}, {"zstd"}, {"deflate"}, {"gzip", "gzip"}, {"br", "zstd", "gzip"}} {
		// A stream of streams is as good as one for gzip only, so each is written at once, a piece at a time.
		var b bytes.Buffer
		w := encoders[names[0]](&b)
		for range 24 {
			_, _ = io.WriteString(w, piece)
		}
		_ = w.Close()
		pages["/"+strings.Join(names, "-")] = withHeader("Content-Encoding", header(names), htmlPage(encoded(b.String(), names[1:]...)))
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		o := newWorld(t, pages).options(m)
		for path := range pages {
			for i := range 4 {
				o.Seeds = append(o.Seeds, fmt.Sprintf("http://%c.test%s", 'a'+i, path))
			}
		}
		o.MaxBody, o.PerHost, o.Retries = 1<<20, 0, 0
		peak := peakHeap(func() {
			records, report, err := crawl(t, o)
			if err != nil || report.ItemsFailed != int64(len(o.Seeds)) {
				t.Errorf("%d of %d failed: %v", report.ItemsFailed, len(o.Seeds), err)
			}
			for _, r := range records {
				want := "the body has more than the 1048576 bytes"
				if strings.HasSuffix(r.URL, "/window") {
					want = "decoding the body: window size exceeded"
				}
				if !strings.HasPrefix(r.Error, want) {
					t.Errorf("%s: %s", r.URL, r.Error)
				}
			}
		})
		if peak > 200<<20 {
			t.Errorf("the heap grew by %d MiB", peak>>20)
		}
	})
}

// peakHeap returns by how many bytes the heap grew at most while f ran, garbage included.
func peakHeap(f func()) int64 {
	runtime.GC()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap) // unlike ReadMemStats it stops nobody
	before := heap[0].Value.Uint64()
	stop, stopped := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		for {
			metrics.Read(heap)
			peak = max(peak, heap[0].Value.Uint64())
			select {
			case <-stop:
				stopped <- peak
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	return int64(<-stopped) - int64(before)
}

// TestBrokenCodingsAreTriedAgain ends the connection inside an encoded body: that is the connection's failure, whatever
// a decoder makes of it.
func TestBrokenCodingsAreTriedAgain(t *testing.T) {
	plain := strings.Repeat("hello, hello, world ", 100)
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		pages := map[string]http.HandlerFunc{}
		var seeds []string
		for _, name := range []string{"br", "zstd", "deflate", "deflate-bare"} {
			body := encoded(plain, name)
			whole := fmt.Sprintf("%sContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", okHeader, header([]string{name}), len(body), body)
			for _, n := range []int{len(body) - 1, len(body) / 2, 1} {
				path := fmt.Sprintf("/%s-%d", name, n)
				pages[path] = first(raw(whole[:len(whole)-n]), raw(whole))
				seeds = append(seeds, "http://a.test"+path)
			}
		}
		o := newWorld(t, pages).options(m, seeds...)
		o.Retries, o.PerHost, o.IgnoreRobots = 1, 0, true
		records, _, err := crawl(t, o)
		if err != nil || len(records) != len(seeds) {
			t.Errorf("%d records: %v", len(records), err)
		}
		for _, r := range records {
			if r.Error != "" || r.Bytes != int64(len(plain)) {
				t.Errorf("%s: %d bytes, %s", r.URL, r.Bytes, r.Error)
			}
		}
	})
}

// FuzzDecode decodes anything as anything, within the limit.
func FuzzDecode(f *testing.F) {
	for name := range encoders {
		f.Add(header([]string{name}), encoded("hello hello", name))
	}
	f.Add("br, zstd, gzip", encoded("hello", "br", "zstd", "gzip"))
	f.Fuzz(func(t *testing.T, value, body string) {
		const limit = 10_000
		r, err := readEncoded(value, body, limit)
		if len(r.body) > limit || err == nil && r.hash == "" {
			t.Errorf("%d bytes, hash %q: %v", len(r.body), r.hash, err)
		}
		r.release()
	})
}

package crawl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"pace/limiter"
)

// filled answers with a text that is repeated up to a size, unless that is 0.
func filled(contentType, begin, text string, size int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, err := io.WriteString(w, begin)
		piece := strings.Repeat(text, max(1, 64<<10/len(text)))
		for n := 0; err == nil && (size == 0 || n < size); n += len(piece) {
			_, err = io.WriteString(w, piece)
		}
	}
}

// wideBomb is bombOf with the largest windows that there are.
func wideBomb(coding string, mebibytes int, text string) http.HandlerFunc {
	var b bytes.Buffer
	var w io.WriteCloser = brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 3, LGWin: 24})
	if coding == "zstd" {
		zw, err := zstd.NewWriter(&b, zstd.WithWindowSize(8<<20), zstd.WithEncoderConcurrency(1))
		if err != nil {
			panic(err)
		}
		w = zw
	}
	piece := strings.Repeat(text, 1<<20/len(text))
	for range mebibytes {
		_, _ = io.WriteString(w, piece)
	}
	_ = w.Close()
	return withHeader("Content-Encoding", coding, htmlPage(b.String()))
}

// TestManyBodiesOfTheLargestSize has 64 requests for bodies of which a few fill the room, or of which each is larger.
func TestManyBodiesOfTheLargestSize(t *testing.T) {
	const body = 256 << 10
	for _, c := range []struct {
		name    string
		room    int64
		maxBody int64
	}{
		{"four at once", 4 * body, body},
		{"one at once", body / 4, body},
		{"without --max-body", body / 4, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, m limiter.Mode) {
				w := newWorld(t, map[string]http.HandlerFunc{"/page": filled("text/html", "", "x", body-64<<10)})
				o := w.options(m)
				o.Workers, o.PerHost, o.Depth, o.MaxBody, o.IgnoreRobots, o.Timeout = 64, 64, 0, c.maxBody, true, time.Minute
				for i := range 80 {
					o.Seeds = append(o.Seeds, fmt.Sprintf("http://%c.test/page?%d", 'a'+i%4, i))
				}
				var out lineCounter
				o.Output = &out
				crawler, seeds, err := newCrawler(o)
				if err != nil {
					t.Fatal(err)
				}
				crawler.room.size, crawler.room.free = c.room, 16<<10
				report, err := crawler.run(t.Context(), seeds)
				if err != nil || report.ItemsFailed != 0 || out.lines != len(o.Seeds) {
					t.Errorf("%d records, %d failed: %v", out.lines, report.ItemsFailed, err)
				}
				if r := crawler.room; r.used != 0 || r.beyond != nil || len(r.waiting) != 0 {
					t.Errorf("%d bytes of the room are still used, %d wait", r.used, len(r.waiting))
				}
			})
		})
	}
}

// TestCancelWhileWaitingForRoom has one answer that takes all the room and never ends, and others that wait for it.
func TestCancelWhileWaitingForRoom(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		if m == limiter.Sequential {
			t.Skip("nobody waits for another")
		}
		const workers = 8
		page := func(rw http.ResponseWriter, r *http.Request) {
			filled("text/html", "", "x", 256<<10)(rw, r)
			_ = http.NewResponseController(rw).Flush()
			<-r.Context().Done()
		}
		w := newWorld(t, map[string]http.HandlerFunc{"/page": page})
		o := w.options(m)
		o.Workers, o.PerHost, o.Depth, o.IgnoreRobots, o.Timeout = workers, workers, 0, true, time.Hour
		for i := range workers {
			o.Seeds = append(o.Seeds, fmt.Sprintf("http://a.test/page?%d", i))
		}
		c, seeds, err := newCrawler(o)
		if err != nil {
			t.Fatal(err)
		}
		c.room.size, c.room.free = 64<<10, 8<<10
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("enough")
		done := make(chan error, 1)
		go func() {
			_, err := c.run(ctx, seeds)
			done <- err
		}()
		for waiting := 0; waiting < workers-1; time.Sleep(time.Millisecond) {
			c.room.mu.Lock()
			waiting = len(c.room.waiting)
			c.room.mu.Unlock()
		}
		cancel(why)
		if err := <-done; !errors.Is(err, why) {
			t.Errorf("the error is %v", err)
		}
		if c.room.used != 0 || len(c.room.waiting) != 0 {
			t.Errorf("%d bytes are still used, %d wait", c.room.used, len(c.room.waiting))
		}
	})
}

func TestWindowsOfEncodedBodies(t *testing.T) {
	text := strings.Repeat("hello, world ", 1000)
	for bits := 10; bits <= 24; bits++ {
		var b bytes.Buffer
		w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 5, LGWin: bits})
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		if got := brotliWindow(b.Bytes()); got != 1<<bits {
			t.Errorf("br with 2^%d bytes: %d", bits, got)
		}
		if bits > 23 {
			continue
		}
		b.Reset()
		zw, err := zstd.NewWriter(&b, zstd.WithWindowSize(1<<bits), zstd.WithSingleSegment(false))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = zw.Write([]byte(text))
		_ = zw.Flush() // or the frame is no larger than its text
		_ = zw.Close()
		if got := zstdWindow(b.Bytes()); got != 1<<bits {
			t.Errorf("zstd with 2^%d bytes: %d", bits, got)
		}
	}
	for begin, want := range map[string]int64{"": 0, "\x28": 0, "no frame": 0, "\x50\x2a\x4d\x18\x01\x00\x00\x00x": maxZstdWindow} {
		if got := zstdWindow([]byte(begin)); got != want {
			t.Errorf("%q: %d, want %d", begin, got, want)
		}
	}
	if got := brotliWindow(nil); got != 0 {
		t.Errorf("no body: %d", got)
	}
}

// TestWindowsAreInTheShare reads bodies whose windows do not fit into the room: while one is read, no other is.
func TestWindowsAreInTheShare(t *testing.T) {
	r := newRoom(1)
	for _, coding := range []string{"br", "zstd"} {
		answer := httptest.NewRecorder()
		wideBomb(coding, 1, "hello, world ")(answer, nil)
		page := &response{share: share{room: r}}
		var most int64
		page.more = func(n int64) error {
			_, err := page.share.take(t.Context(), n)
			most = max(most, page.share.need)
			return err
		}
		resp := answer.Result()
		if err := page.readBody(resp, 16<<20, false, func(int64) {}); err != nil || most < 8<<20 {
			t.Errorf("%s: %d bytes of room were taken: %v", coding, most, err)
		}
		if page.share.need >= 8<<20 {
			t.Errorf("%s: %d bytes of room are taken after the body was read", coding, page.share.need)
		}
		page.release()
		if r.used != 0 || page.share.need != 0 {
			t.Errorf("%s: %d bytes are still used", coding, r.used)
		}
	}
}

// TestLaterFrameWithALargerWindow has a body in zstd whose first frame asks for little.
func TestLaterFrameWithALargerWindow(t *testing.T) {
	var b bytes.Buffer
	for _, window := range []int{1 << 10, 8 << 20} {
		zw, err := zstd.NewWriter(&b, zstd.WithWindowSize(window), zstd.WithSingleSegment(false))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = zw.Write([]byte("hello"))
		_ = zw.Flush()
		_ = zw.Close()
	}
	resp := &http.Response{Header: http.Header{"Content-Encoding": {"zstd"}}, Body: io.NopCloser(&b), ContentLength: -1}
	r := &response{}
	if err := r.readBody(resp, 16<<20, false, func(int64) {}); err == nil || !strings.Contains(err.Error(), "window") {
		t.Errorf("the error is %v", err)
	}
	r.release()
}

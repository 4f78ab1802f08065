package copy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/progress"
)

// chaos answers each request in another way. The same seed has the same ways, though not for the same requests.
type chaos struct {
	mu       sync.Mutex
	rnd      *rand.Rand
	versions [][]byte
	now      int  // the version
	strong   bool // versions have ETags, and no dates
	faults   int  // how many of a hundred requests
}

func (c *chaos) answer(r raw) bool {
	c.mu.Lock()
	fault, kind, cut := c.rnd.IntN(100) < c.faults, c.rnd.IntN(13), c.rnd.IntN(50_000)
	if c.rnd.IntN(60) == 0 && c.now < len(c.versions)-1 {
		c.now++
	}
	now := c.now
	c.mu.Unlock()
	data := c.versions[now]
	version := fmt.Sprintf(`ETag: "v%d"`, now)
	if !c.strong {
		version = "Last-Modified: " + longAgo.Add(time.Duration(now)*time.Hour).Format(http.TimeFormat)
	}
	r.end = min(r.end, int64(len(data)))
	if !fault || r.Method == http.MethodHead && kind < 8 {
		return r.good(data, version)
	}
	switch kind {
	case 0: // all of it
		r.end = 0
		return r.good(data, version)
	case 1, 2: // cut
		whole := r
		var out bytes.Buffer
		whole.conn = &recorder{r.conn, &out}
		whole.good(data, version)
		_, _ = r.conn.Write(out.Bytes()[:min(cut, out.Len())])
		return false
	case 3: // another part
		r.off, r.end = 0, max(r.end-r.off, 1)
		return r.good(data, version)
	case 4: // a part of another version, as it says
		if r.end == 0 || now == 0 || !c.strong {
			return r.good(data, version)
		}
		body := c.versions[now-1]
		r.end = min(r.end, int64(len(body)))
		return r.part(body[r.off:r.end], fmt.Sprint(len(body)), fmt.Sprintf("Content-Length: %d", r.end-r.off),
			fmt.Sprintf(`ETag: "v%d"`, now-1))
	case 5:
		return r.say(nil, "HTTP/1.1 503 Busy", "Content-Length: 0")
	case 6:
		return r.say(nil, "HTTP/1.1 302 Found", "Content-Length: 0", "Location: /f?"+fmt.Sprint(cut))
	case 7:
		return r.say(nil, "HTTP/1.1 416 No", "Content-Length: 0")
	case 8:
		return r.say(nil, "HTTP/1.1 500 Broken", "Content-Length: 0")
	case 9: // keep-alive, and gone
		r.good(data, version)
		return false
	case 10:
		return r.say([]byte("<html>sorry"), "HTTP/1.1 502 Bad", "Content-Length: 11")
	default:
		return false
	}
}

// isOneOf fails the test if path holds anything but one of the versions.
func (c *chaos) isOneOf(t *testing.T, path string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.versions {
		if bytes.Equal(got, v) {
			return
		}
	}
	t.Fatalf("%d bytes that the server never had", len(got))
}

// Whatever comes in whatever order, also over several runs that are stopped at any time, of other modes and sizes: the file
// is one that the server has had, or there is none.
func TestHTTPChaos(t *testing.T) {
	const size = 400_000
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 1))
			c := &chaos{rnd: rand.New(rand.NewPCG(seed, 2)), strong: seed%2 == 0, faults: rnd.IntN(50)}
			for i := range 4 {
				c.versions = append(c.versions, bytes.Repeat([]byte{byte(i)}, size+rnd.IntN(2)*i))
			}
			s := newRaw(t, c.answer)
			_, to := dirs(t)
			dst := filepath.Join(to, "f")
			for try := range 8 {
				o := fetch(to, s.url+"/f", limiter.Modes[rnd.IntN(3)])
				o.Workers, o.ChunkSize = 1+rnd.IntN(6), int64(10_000+rnd.IntN(90_000))
				o.Verify, o.Hash = rnd.IntN(3) == 0, Hashes[rnd.IntN(3)]
				o.Sparse, o.Fsync, o.NoResume = Sparse(rnd.IntN(3)), rnd.IntN(4) == 0, rnd.IntN(8) == 0
				o.Progress = progress.New()
				ctx, cancel := context.WithCancel(t.Context())
				if try < 4 && rnd.IntN(2) == 0 {
					time.AfterFunc(time.Duration(rnd.IntN(30))*time.Millisecond, cancel)
				}
				report, err := quickly(o).run(ctx)
				stopped := ctx.Err() != nil
				cancel()
				switch {
				case err == nil && report.ItemsFailed == 0, stopped && exists(dst): // too late to stop
					c.isOneOf(t, dst)
					holds(t, to, "f")
					if s := o.Progress.Snapshot(); !stopped && (s.Bytes != s.BytesTotal || s.Items != 1 || s.ItemsTotal != 1) {
						t.Errorf("%d of %d bytes, %d of %d files", s.Bytes, s.BytesTotal, s.Items, s.ItemsTotal)
					}
					return
				case exists(dst):
					t.Fatalf("failed, and there is a file: %v, %+v", err, report)
				case errors.Is(err, context.Canceled) && !stopped:
					t.Fatal("it says that it was stopped")
				}
			}
		})
	}
}

// What has gone out of a file is the beginning of one that the server has had, and if nothing failed all of it.
func TestHTTPChaosOutput(t *testing.T) {
	const size = 300_000
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 3))
			c := &chaos{rnd: rand.New(rand.NewPCG(seed, 4)), strong: seed%2 == 0, faults: rnd.IntN(40)}
			for i := range 4 {
				c.versions = append(c.versions, bytes.Repeat([]byte{byte(i)}, size+rnd.IntN(2)*i))
			}
			s := newRaw(t, c.answer)
			var out bytes.Buffer
			o := fetch("", s.url+"/f", limiter.Modes[rnd.IntN(3)])
			o.Output, o.Workers, o.ChunkSize = &out, 1+rnd.IntN(6), int64(10_000+rnd.IntN(90_000))
			report, err := quickly(o).run(t.Context())
			for _, v := range c.versions {
				if bytes.Equal(out.Bytes(), v) || (err != nil || report.ItemsFailed > 0) && bytes.HasPrefix(v, out.Bytes()) {
					return
				}
			}
			t.Errorf("%d bytes have come out that no version begins with: %v, %+v", out.Len(), err, report)
		})
	}
}

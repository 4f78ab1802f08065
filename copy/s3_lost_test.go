package copy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// A store does what it is asked for, and its answer is lost. Another try finds it done, or does it again; nothing is left.
func TestObjectAnswersLost(t *testing.T) {
	g := newGateway(t)
	small, large := random(1000), random(12*mib)
	g.put(t, "small", small)
	g.put(t, "large", large)
	from, _ := dirs(t)
	for name, data := range map[string][]byte{"small": small, "large": large} {
		write(t, filepath.Join(from, name), data)
	}
	local := func(name string) string { return filepath.Join(from, name) }
	for _, c := range []struct {
		what, src, dst string
		data           []byte
	}{
		{http.MethodPut, local("small"), "s3://bucket/lost", small},
		{http.MethodPut, local("large"), "s3://bucket/lost", large},
		{http.MethodPost, local("large"), "s3://bucket/lost", large},
		{http.MethodPut, "s3://bucket/small", "s3://bucket/lost", small},
		{http.MethodGet, "s3://bucket/large", "", large},
		{http.MethodHead, "s3://bucket/large", "", large},
	} {
		t.Run(c.what+" "+filepath.Base(c.src), func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				var n atomic.Int64
				o := g.options(m, c.src, c.dst)
				o.ChunkSize, o.Network.Retries = leastPart, 10
				o.S3.Endpoint = g.front(t, func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method != c.what || n.Add(1)%2 == 0 {
						return false
					}
					forward(t, httptest.NewRecorder(), r, g.URL)
					abort()
					return true
				})
				if c.dst == "" {
					o.Dest = filepath.Join(t.TempDir(), "dst")
				}
				report := downloaded(t, o)
				if report.Items != 1 || report.Bytes != int64(len(c.data)) || n.Load() < 2 {
					t.Errorf("%+v, %d requests", report, n.Load())
				}
				if c.dst == "" {
					same(t, o.Dest, c.data)
					return
				}
				g.holds(t, "lost", c.data)
				remove(t, g, "lost")
			})
		})
	}
}

// A store that takes a request and says nothing, or half of what it has to say, is asked again when its time is up.
func TestObjectStoreStalls(t *testing.T) {
	g := newGateway(t)
	data := random(6 * mib)
	g.put(t, "stalled", data)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src, dst := write(t, filepath.Join(from, "src"), data), filepath.Join(to, "dst")
		end := make(chan bool)
		defer close(end)
		for i, leg := range [][2]string{{src, "s3://bucket/up-" + m.String()}, {"s3://bucket/stalled", dst}} {
			var n atomic.Int64
			o := g.options(m, leg[0], leg[1])
			o.ChunkSize, o.Network.Retries, o.Network.Timeout = leastPart, 10, 300*time.Millisecond
			o.S3.Endpoint = g.front(t, func(w http.ResponseWriter, r *http.Request) bool {
				if n.Add(1)%3 != 0 || r.Method == http.MethodPost && m != limiter.Async { // that takes ten times as long
					return false
				}
				if r.Method == http.MethodGet && i == 1 {
					forward(t, &stalling{w, 100 * kib, end}, r, g.URL)
					return true
				}
				_, _ = io.Copy(io.Discard, r.Body)
				select {
				case <-end:
				case <-r.Context().Done():
				}
				return true
			})
			downloaded(t, o)
		}
		same(t, dst, data)
		g.holds(t, "up-"+m.String(), data)
	})
}

// stalling passes so many bytes on, and then none until the end.
type stalling struct {
	http.ResponseWriter
	left int
	end  chan bool
}

func (s *stalling) Write(p []byte) (int, error) {
	if s.left -= len(p); s.left < 0 {
		_ = http.NewResponseController(s.ResponseWriter).Flush()
		<-s.end
		abort()
	}
	return s.ResponseWriter.Write(p)
}

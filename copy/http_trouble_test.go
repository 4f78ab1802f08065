package copy

import (
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// A server that stalls loses its connection, and what it has sent is kept.
func TestHTTPStalls(t *testing.T) {
	data := random(300_000)
	for name, stall := range map[string]func(w http.ResponseWriter, r *http.Request){
		"before the header": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"in the body": func(w http.ResponseWriter, r *http.Request) {
			serve(&stallWriter{w, r, 20_000}, r, data, `"v1"`, longAgo)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o := newOrigin(t, data)
				var gets atomic.Int64
				o.behave(func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method == http.MethodHead || gets.Add(1) != 3 {
						return false
					}
					stall(w, r)
					return true
				})
				_, to := dirs(t)
				opts := fetch(to, o.URL+"/f", m)
				opts.Network.Timeout, opts.Network.Retries = 500*time.Millisecond, 10
				downloaded(t, opts)
				same(t, filepath.Join(to, "f"), data)

				gets.Store(0)
				opts.Network.Timeout, opts.Network.MinSpeed = 0, 1000
				r := quickly(opts)
				r.speedWindow = 200 * time.Millisecond
				if name == "before the header" {
					return // only a timeout ends this
				}
				if report, err := r.run(t.Context()); err != nil || report.ItemsFailed > 0 {
					t.Fatalf("%+v, %v", report, err)
				}
				same(t, filepath.Join(to, "f"), data)
			})
		})
	}
}

// stallWriter sends so many bytes and then nothing.
type stallWriter struct {
	http.ResponseWriter
	r    *http.Request
	left int
}

func (w *stallWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:min(len(p), w.left)])
	if w.left -= n; w.left == 0 && err == nil {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		<-w.r.Context().Done()
		err = w.r.Context().Err()
	}
	return n, err
}

// Servers whose answers cannot be a file are named, with their reasons.
func TestHTTPRefused(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(w http.ResponseWriter, r *http.Request) bool
		want  string
	}{
		"not found": {func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true },
			"the server answers 404 Not Found"},
		"busy for ever": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, "the server answers 429 Too Many Requests"},
		"broken for ever": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}, "the server answers 500 Internal Server Error (after 4 tries)"},
		"endless redirects": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
			return true
		}, "more than 10 redirects"},
		"redirect to a file": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
			return true
		}, "the server redirects to what is not a URL of HTTP"},
		"a coding that nobody asked for": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("x"))
			return true
		}, "the server sends it in the content coding gzip, which nobody has asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o := newOrigin(t, random(1000))
				o.behave(c.fault)
				_, to := dirs(t)
				_, err := quickly(fetch(to, o.URL+"/f", m)).run(t.Context())
				if want := "cannot read " + o.URL + "/f: " + c.want; err == nil || err.Error() != want {
					t.Fatalf("got %q, want %q", err, want)
				}
				holds(t, to)
			})
		})
	}
}

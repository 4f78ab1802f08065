package copy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// longAgo is a Last-Modified that says what it means.
var longAgo = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)

// origin is a server of one file that can be told how to behave.
type origin struct {
	*httptest.Server
	t        *testing.T
	data     []byte
	etag     string
	modified time.Time

	// fault, if not nil, may answer instead: then it returns true.
	fault func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	requests []*http.Request
	sent     atomic.Int64 // bytes of bodies
}

func newOrigin(t *testing.T, data []byte) *origin {
	o := &origin{t: t, data: data, etag: `"v1"`, modified: longAgo}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.requests = append(o.requests, r)
	data, etag, modified, fault := o.data, o.etag, o.modified, o.fault
	o.mu.Unlock()
	counted := &countingWriter{w, &o.sent}
	if fault != nil && fault(counted, r) {
		return
	}
	serve(counted, r, data, etag, modified)
}

// serve answers as RFC 9110 has it.
func serve(w http.ResponseWriter, r *http.Request, data []byte, etag string, modified time.Time) {
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", modified, bytes.NewReader(data))
}

// behave sets how it answers from now on.
func (o *origin) behave(fault func(w http.ResponseWriter, r *http.Request) bool) {
	o.set(func() { o.fault = fault })
}

// set changes the server while it runs.
func (o *origin) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

func (o *origin) asked() []*http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*http.Request(nil), o.requests...)
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.n.Add(int64(len(p))) // before a client can have them, and end the test
	return w.ResponseWriter.Write(p)
}

func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// rangeOfRequest returns what a request asks for.
func rangeOfRequest(r *http.Request) (off, end int64, ok bool) {
	first, last, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-")
	off, err1 := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	return off, end + 1, ok && err1 == nil && err2 == nil
}

// abort breaks the connection.
func abort() { panic(http.ErrAbortHandler) }

// fetch downloads u into to with small chunks, and fewer tries than users get.
func fetch(to, u string, m limiter.Mode) Options {
	return Options{
		Sources: []string{u}, Dest: to, Mode: m, Workers: 4, ChunkSize: 64 * kib,
		Network: Network{Retries: 3, Timeout: 10 * time.Second},
	}
}

// quickly returns a run with short pauses.
func quickly(o Options) *run {
	r := newRun(o)
	r.backoff = func(int) time.Duration { return 5 * time.Millisecond }
	return r
}

// downloaded fails the test if what o says cannot be done.
func downloaded(t *testing.T, o Options) Report {
	t.Helper()
	report, err := quickly(o).run(t.Context())
	if err != nil || report.ItemsFailed > 0 {
		t.Fatalf("%v, failed: %v", err, report.Errors)
	}
	return report
}

func init() {
	sourceCases = append(sourceCases, sourceCase{"http", func(t *testing.T, r *run, data []byte) source {
		r.Sources = []string{"http://"}
		r.web = r.openWeb()
		t.Cleanup(r.web.client.Close)
		u, err := url.Parse(newOrigin(t, data).URL + "/f")
		if err != nil {
			t.Fatal(err)
		}
		return newHTTPSource(r.web, u, u.String())
	}})
}

// A file comes whole from each server that is able to give it, however badly it behaves, and nothing is left beside it.
func TestHTTPBadServers(t *testing.T) {
	data := random(500_000)
	once := func(f func(w http.ResponseWriter, r *http.Request) bool) func(*origin) {
		return func(o *origin) {
			var done atomic.Bool
			o.fault = func(w http.ResponseWriter, r *http.Request) bool {
				return r.Method == http.MethodGet && !done.Swap(true) && f(w, r)
			}
		}
	}
	always := func(f func(w http.ResponseWriter, r *http.Request) bool) func(*origin) {
		return func(o *origin) { o.fault = f }
	}
	status := func(code int, header ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			return true
		}
	}
	for name, spoil := range map[string]func(*origin){
		"that is good": func(*origin) {},
		"without HEAD": always(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
			}
			return r.Method == http.MethodHead
		}),
		"that breaks on HEAD": always(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead {
				abort()
			}
			return false
		}),
		"without validators": func(o *origin) { o.etag, o.modified = "", time.Time{} },
		"with a weak ETag":   func(o *origin) { o.etag, o.modified = `W/"v1"`, time.Time{} },
		"with a date only":   func(o *origin) { o.etag = "" },
		"that ignores Range": always(func(w http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("Range")
			return false
		}),
		"that boasts of ranges and has none": always(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Accept-Ranges", "bytes")
			r.Header.Del("Range")
			return false
		}),
		"that drops Range for If-Range with an ETag": always(func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.Header.Get("If-Range"), `"`) {
				r.Header.Del("Range")
			}
			return false
		}),
		"that lies in Content-Range": always(func(w http.ResponseWriter, r *http.Request) bool {
			off, end, ok := rangeOfRequest(r)
			if !ok || end == 1 {
				return false
			}
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off+1, end, len(data)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(data[off:end])
			return true
		}),
		"that lies about the length of a part": always(func(w http.ResponseWriter, r *http.Request) bool {
			off, end, ok := rangeOfRequest(r)
			if !ok || end == 1 {
				return false
			}
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, end-1, len(data)))
			w.Header().Set("Content-Length", fmt.Sprint((end-off)/2))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(data[:(end-off)/2])
			return true
		}),
		"that sends a part as many": always(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") != "" && r.Method == http.MethodGet {
				r.Header.Set("Range", "bytes=0-0,5-9")
			}
			return false
		}),
		"that answers 416": always(func(w http.ResponseWriter, r *http.Request) bool {
			if _, end, ok := rangeOfRequest(r); ok && end > 1 {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return true
			}
			return false
		}),
		"that cuts bodies": always(func(w http.ResponseWriter, r *http.Request) bool {
			off, end, ok := rangeOfRequest(r)
			if !ok || end-off < 40_000 {
				return false
			}
			serve(&cutWriter{w, 30_000}, r, data, `"v1"`, longAgo)
			return true
		}),
		"that cuts every first body to nothing": once(func(http.ResponseWriter, *http.Request) bool { abort(); return true }),
		"that stumbles":                         once(status(http.StatusBadGateway)),
		"that is busy":                          once(status(http.StatusTooManyRequests)),
		"that asks for a second":                once(status(http.StatusServiceUnavailable, "Retry-After", "1")),
		"that redirects each request elsewhere": func(o *origin) {
			other := httptest.NewServer(o)
			o.t.Cleanup(other.Close)
			var n atomic.Int64
			o.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasPrefix(r.URL.Path, "/at") {
					return false
				}
				base := []string{o.URL, other.URL}[n.Add(1)%2]
				http.Redirect(w, r, fmt.Sprintf("%s/at%d", base, n.Load()), http.StatusFound)
				return true
			}
		},
		"whose redirects expire": func(o *origin) {
			var n atomic.Int64
			o.fault = func(w http.ResponseWriter, r *http.Request) bool {
				now := fmt.Sprint("/signed", n.Load()/3)
				switch r.URL.Path {
				case now:
					n.Add(1)
					return false
				case "/f":
					http.Redirect(w, r, now, http.StatusTemporaryRedirect)
				default:
					w.WriteHeader(http.StatusForbidden)
				}
				return true
			}
		},
		"that takes two at a time": func(o *origin) {
			var active atomic.Int64
			o.fault = func(w http.ResponseWriter, r *http.Request) bool {
				defer active.Add(-1)
				if active.Add(1) > 2 {
					w.WriteHeader(http.StatusServiceUnavailable)
					return true
				}
				serve(w, r, data, `"v1"`, longAgo)
				return true
			}
		},
		"without a length": always(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Transfer-Encoding", "chunked")
			if r.Method == http.MethodGet {
				for p := data; len(p) > 0; p = p[min(10_000, len(p)):] {
					_, _ = w.Write(p[:min(10_000, len(p))])
					_ = http.NewResponseController(w).Flush()
				}
			}
			return true
		}),
		"that cuts a body without a length once": func(o *origin) {
			var gets atomic.Int64
			o.fault = func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Transfer-Encoding", "chunked")
				if r.Method == http.MethodGet {
					cut := gets.Add(1) == 2
					_, _ = w.Write(data[:300_000])
					_ = http.NewResponseController(w).Flush()
					if cut {
						abort()
					}
					_, _ = w.Write(data[300_000:])
				}
				return true
			}
		},
		"whose HEAD tells another length": always(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead {
				serve(w, r, data[:1000], `"v1"`, longAgo)
				return true
			}
			return false
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o := newOrigin(t, data)
				o.set(func() { spoil(o) })
				_, to := dirs(t)
				downloaded(t, fetch(to, o.URL+"/f", m))
				same(t, path.Join(to, onlyName(t, to)), data)
				var out bytes.Buffer
				if strings.Contains(name, "cuts a body without") {
					return // what went out cannot be taken back
				}
				o2 := newOrigin(t, data)
				o2.set(func() { spoil(o2) })
				opts := fetch("", o2.URL+"/f", m)
				opts.Output = &out
				downloaded(t, opts)
				if !bytes.Equal(out.Bytes(), data) {
					t.Fatalf("%d other bytes have come out", out.Len())
				}
			})
		})
	}
}

// onlyName returns the one name in dir.
func onlyName(t *testing.T, dir string) string {
	t.Helper()
	for _, name := range []string{"f", "at1", "at2", "signed0"} {
		if exists(path.Join(dir, name)) {
			holds(t, dir, name)
			return name
		}
	}
	holds(t, dir, "f")
	return "f"
}

// cutWriter breaks the connection after left bytes.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	n, err := w.ResponseWriter.Write(p[:n])
	if w.left -= n; w.left == 0 {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		abort()
	}
	return n, err
}

func (w *cutWriter) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, r)
}

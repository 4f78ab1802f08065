package copy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"pace/limiter"
	"pace/limiter/progress"
)

// An object that is replaced while it is fetched is never mixed: the copy begins again.
func TestObjectChangesWhileFetched(t *testing.T) {
	g := newGateway(t)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		before, after := random(6*mib), random(6*mib+1)
		g.put(t, "changing", before)
		_, to := dirs(t)
		proxy := newMeter(t, g.URL, time.Millisecond)
		o := g.options(m, "s3://bucket/changing", filepath.Join(to, "dst"))
		o.S3.Endpoint, o.ChunkSize = proxy.url, 256*kib
		replaced := make(chan bool)
		go func() {
			defer close(replaced)
			for proxy.down.Load() < mib {
				time.Sleep(time.Millisecond)
			}
			g.put(t, "changing", after)
		}()
		downloaded(t, o)
		<-replaced
		got, err := os.ReadFile(filepath.Join(to, "dst"))
		if err != nil {
			t.Fatal(err)
		}
		// It may have been whole when it was replaced.
		if sum := sha256.Sum256(got); sum != sha256.Sum256(after) && sum != sha256.Sum256(before) {
			t.Fatalf("%d bytes of neither", len(got))
		}
		holds(t, to, "dst")
	})
}

// A file that changes while it is sent is a failure, and leaves neither an object nor parts of one.
func TestFileChangesWhileSent(t *testing.T) {
	g := newGateway(t)
	for _, size := range []int{100_000, 12 * mib} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				from, _ := dirs(t)
				src := write(t, filepath.Join(from, "src"), random(size))
				key := fmt.Sprintf("unsent-%d-%v", size, m)
				r := quickly(g.options(m, src, "s3://bucket/"+key))
				var once sync.Once
				r.wrap = func(d driver) driver {
					return faulty{driver: d, read: func(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
						n, err := d.pread(ctx, f, p, off)
						once.Do(func() { appendTo(t, src) })
						return n, err
					}}
				}
				report, err := r.run(t.Context())
				if err != nil || report.ItemsFailed != 1 || !strings.Contains(report.Errors[0].Error, "changed") {
					t.Fatalf("%v, %+v", err, report)
				}
				if keys := g.keys(t, key); len(keys) > 0 {
					t.Fatal(keys)
				}
				if u := g.uploads(t); len(u) > 0 {
					t.Fatalf("%+v", u)
				}
			})
		})
	}
}

func appendTo(t *testing.T, path string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString("more")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// A run that is stopped leaves parts to go on with, or none if it is told so.
func TestObjectUploadStopped(t *testing.T) {
	g := newGateway(t)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, noResume := range []bool{false, true} {
			from, _ := dirs(t)
			src := write(t, filepath.Join(from, "src"), random(30*mib))
			key := fmt.Sprintf("stopped-%v-%v", m, noResume)
			proxy := newMeter(t, g.URL, time.Millisecond)
			o := g.options(m, src, "s3://bucket/"+key)
			o.S3.Endpoint, o.ChunkSize, o.Workers, o.NoResume = proxy.url, leastPart, 2, noResume
			o.Progress = progress.New()
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for ctx.Err() == nil && o.Progress.Snapshot().Bytes < leastPart {
					time.Sleep(time.Millisecond)
				}
				stop()
			}()
			_, err := newRun(o).run(ctx)
			stop()
			<-done
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if n := len(g.uploads(t)); n != 1 && !noResume {
				t.Fatalf("%d unfinished uploads", n)
			}
			o.Progress = nil
			before := proxy.up.Load()
			downloaded(t, o)
			if sent := proxy.up.Load() - before; (sent < 29*mib) == noResume {
				t.Errorf("%d bytes were sent for the rest", sent)
			}
			// A part that arrives late brings an upload back that was ended, in this store.
			if got := g.get(t, key); !bytes.Equal(got, random(30*mib)) {
				t.Errorf("%d bytes are not those of the source", len(got))
			}
			for _, u := range g.uploads(t) {
				if !noResume {
					t.Errorf("an unfinished upload is left: %+v", u)
				}
				_ = g.look.AbortMultipartUpload(t.Context(), bucket, u.Key, u.UploadID)
			}
		}
	})
}

// A file of a web site goes into a store by way of this machine, in parts, and a digest is compared before it has its name.
func TestURLToObject(t *testing.T) {
	g := newGateway(t)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, size := range []int{0, 1000, 12 * mib} {
			for _, chunked := range []bool{false, true} {
				data := random(size)
				o := newOrigin(t, data)
				if chunked {
					o.set(func() {
						o.fault = func(w http.ResponseWriter, _ *http.Request) bool {
							_ = http.NewResponseController(w).Flush()
							_, _ = w.Write(data)
							return true
						}
					})
				}
				key := fmt.Sprintf("web-%v-%d-%v", m, size, chunked)
				opts := g.options(m, o.URL+"/f", "s3://bucket/"+key)
				sum := sha256.Sum256(data)
				opts.Expect = &Digest{HashSHA256, sum[:]}
				opts.Verify = true
				downloaded(t, opts)
				g.holds(t, key, data)
				opts.Dest += "-not"
				opts.Expect = &Digest{HashSHA256, make([]byte, 32)}
				report, err := quickly(opts).run(t.Context())
				if err != nil || report.ItemsFailed != 1 {
					t.Fatalf("%v, %+v", err, report)
				}
				if keys := g.keys(t, key+"-not"); len(keys) > 0 || len(g.uploads(t)) > 0 {
					t.Fatal(keys, g.uploads(t))
				}
			}
		}
	})
}

// A store that asks to be left alone, or has troubles of its own, gets another try; what it sends is held to what was asked.
func TestObjectTroubles(t *testing.T) {
	g := newGateway(t)
	data := random(9 * mib)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		var n atomic.Int64
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch n.Add(1) % 4 {
			case 1:
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = fmt.Fprint(w, `<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`)
			case 2:
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = fmt.Fprint(w, `<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>`)
			case 3:
				abort()
			default:
				forward(t, w, r, g.URL)
			}
		}))
		defer front.Close()
		from, to := dirs(t)
		src := write(t, filepath.Join(from, "src"), data)
		o := g.options(m, src, "s3://bucket/trouble-"+m.String())
		o.S3.Endpoint, o.Workers, o.Network.Retries = front.URL, 2, 50
		downloaded(t, o)
		o.Sources, o.Dest = []string{o.Dest}, filepath.Join(to, "dst")
		downloaded(t, o)
		same(t, o.Dest, data)
	})
}

// forward sends a request on as it is.
func forward(t *testing.T, w http.ResponseWriter, r *http.Request, to string) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, to+r.URL.RequestURI(), r.Body)
	if err != nil {
		t.Error(err)
		return
	}
	req.Header, req.Host, req.ContentLength = r.Header, r.Host, r.ContentLength
	resp, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(req)
	if err != nil {
		abort()
	}
	defer func() { _ = resp.Body.Close() }()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	buf := make([]byte, 64*kib)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			_, _ = w.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// An object of 5 GiB is more than one request may bring.
func TestLargeObject(t *testing.T) {
	if os.Getenv("PACE_TEST_FULL") == "" {
		t.Skip("PACE_TEST_FULL is not set: it takes minutes")
	}
	g := newGateway(t)
	from, to := dirs(t)
	const size = 5<<30 + 12345
	src := write(t, filepath.Join(from, "src"), random(mib))
	if err := os.Truncate(src, size); err != nil {
		t.Fatal(err)
	}
	for _, leg := range [][2]string{
		{src, "s3://bucket/large"}, {"s3://bucket/large", "s3://bucket/copy"}, {"s3://bucket/copy", filepath.Join(to, "dst")},
	} {
		o := g.options(limiter.Async, leg[0], leg[1])
		o.Workers, o.Sparse = 0, SparseAlways
		downloaded(t, o)
	}
	report, err := Verify(t.Context(), VerifyOptions{Source: src, Dest: filepath.Join(to, "dst")})
	if err != nil || report.ItemsFailed > 0 {
		t.Fatalf("%v, %+v", err, report)
	}
}

// A large object is copied by the store in parts, with what it says of itself, and none of its bytes come by.
func TestObjectCopiedInParts(t *testing.T) {
	g := newGateway(t)
	data := random(withinPart + 5*mib)
	from, _ := dirs(t)
	src := write(t, filepath.Join(from, "src.html"), data)
	if err := os.Chtimes(src, longAgo, longAgo); err != nil {
		t.Fatal(err)
	}
	downloaded(t, g.options(limiter.Async, src, "s3://bucket/large.html"))
	inModes(t, func(t *testing.T, m limiter.Mode) {
		proxy := newMeter(t, g.URL, 0)
		o := g.options(m, "s3://bucket/large.html", "s3://bucket/copy-"+m.String())
		o.S3.Endpoint = proxy.url
		report := downloaded(t, o)
		if n := proxy.up.Load() + proxy.down.Load(); n > mib || report.Bytes != int64(len(data)) {
			t.Errorf("%d bytes came by; %+v", n, report)
		}
		g.holds(t, "copy-"+m.String(), data)
		info, err := g.look.StatObject(t.Context(), bucket, "copy-"+m.String(), minio.StatObjectOptions{})
		if kept, ok := storedTime(info.UserMetadata); err != nil || !ok || !kept.Equal(longAgo) ||
			!strings.HasPrefix(info.ContentType, "text/html") {
			t.Errorf("%v, %+v", err, info)
		}
	})
}

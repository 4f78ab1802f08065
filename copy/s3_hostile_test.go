package copy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"

	"pace/limiter"
)

// front stands before a store, and answers itself what it wants to.
func (g *gateway) front(t *testing.T, answer func(w http.ResponseWriter, r *http.Request) bool) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answer(w, r) {
			forward(t, w, r, g.URL)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// What is asked of a store that it answers with a document.
var documents = map[string]func(*http.Request) bool{
	"list":     func(r *http.Request) bool { return r.URL.Query().Has("list-type") },
	"create":   func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploads") },
	"complete": func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") },
	"copy":     func(r *http.Request) bool { return r.Header.Get("X-Amz-Copy-Source") != "" },
}

// A store says that it has succeeded, and in the same answer that it has not, or half of it only. That is a failure, with
// another try as any other.
func TestObjectStoreFailsBehindSuccess(t *testing.T) {
	g := newGateway(t)
	large, far := random(5*mib+1), random(withinPart+1)
	g.put(t, "tree/a", large)
	g.put(t, "far", far)
	from, _ := dirs(t)
	src := write(t, filepath.Join(from, "src"), large)
	for _, c := range []struct {
		what, src, dst string
		data           []byte
	}{
		{"create", src, "s3://bucket/made", large},
		{"complete", src, "s3://bucket/made", large},
		{"copy", "s3://bucket/tree/a", "s3://bucket/made", large},
		{"copy", "s3://bucket/far", "s3://bucket/made", far},
		{"list", "s3://bucket/tree", "s3://bucket/made", large},
	} {
		for name, body := range map[string]string{
			"error": `<?xml version="1.0"?><Error><Code>InternalError</Code><Message>Please try again.</Message></Error>`,
			"torn":  `<?xml version="1.0"?><SomeResult><Bucket>bucket</Bucket><Key>ma`,
		} {
			if name == "torn" && (c.what == "copy" || c.what == "create") || name == "error" && c.what == "list" {
				continue // what is done about an answer is done in one place: a few of all will do
			}
			t.Run(c.what+" "+filepath.Base(c.src)+" "+name, func(t *testing.T) {
				testBehindSuccess(t, g, c.what, c.src, c.dst, c.data, body)
			})
		}
	}
}

func testBehindSuccess(t *testing.T, g *gateway, what, src, dst string, data []byte, body string) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		for _, times := range []int64{2, 1000} {
			var n atomic.Int64
			o := g.options(m, src, dst)
			o.Network.Retries, o.ChunkSize, o.Recursive = 3, leastPart, what == "list"
			o.S3.Endpoint = g.front(t, func(w http.ResponseWriter, r *http.Request) bool {
				if !documents[what](r) || n.Add(1) > times {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = fmt.Fprint(w, body)
				return true
			})
			key := "made"
			if o.Recursive {
				key = "made/a"
			}
			if times == 2 {
				downloaded(t, o)
				g.holds(t, key, data)
				remove(t, g, key)
				continue
			}
			if m != limiter.Async {
				continue // it takes its time
			}
			report, err := quickly(o).run(t.Context())
			if report.ItemsFailed != 1 || n.Load() < 4 || n.Load() > 8 { // there may be two parts
				t.Fatalf("%v, %+v, after %d tries", err, report, n.Load())
			}
			if keys := g.keys(t, "made"); len(keys) > 0 {
				t.Fatal(keys)
			}
			g.abortAll(t)
		}
	})
}

func (g *gateway) abortAll(t *testing.T) {
	t.Helper()
	for _, u := range g.uploads(t) {
		if err := g.look.AbortMultipartUpload(t.Context(), bucket, u.Key, u.UploadID); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(t *testing.T, g *gateway, key string) {
	t.Helper()
	if err := g.look.RemoveObject(t.Context(), bucket, key, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

// What says yes to everything, as the page of a captive portal does, is no object store, and nothing was stored in it.
func TestNoObjectStore(t *testing.T) {
	for name, body := range map[string]string{
		"page": "<!DOCTYPE html><html><body><br>Welcome</body></html>", "nothing": "", "text": "hello",
	} {
		portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = fmt.Fprint(w, body)
		}))
		t.Cleanup(portal.Close)
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				from, to := dirs(t)
				small := write(t, filepath.Join(from, "small"), random(1000))
				large := write(t, filepath.Join(from, "large"), random(9*mib))
				down := filepath.Join(to, "dst")
				for _, leg := range [][2]string{
					{small, "s3://bucket/k"}, {large, "s3://bucket/k"}, {from, "s3://bucket/k"}, {"s3://bucket/k", down},
					{"s3://bucket/k/", down}, {"s3://bucket/k", "s3://bucket/l"},
				} {
					o := Options{Sources: leg[:1], Dest: leg[1], Mode: m, S3: storeAt(portal.URL)}
					o.Recursive = leg[0] == from || strings.HasSuffix(leg[0], "/")
					o.Network.Retries = -1
					report, err := quickly(o).run(t.Context())
					if err == nil || !errors.As(err, new(*NoStoreError)) || report.ItemsFailed == 0 {
						t.Errorf("%v: %v, %+v", leg, err, report)
					}
					holds(t, to)
				}
			})
		})
	}
}

package copy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"pace/copy/gwtest"
	"pace/limiter"
)

const bucket = "bucket"

// gateway is a store of a test, with a client that is not ours to look at it.
type gateway struct {
	*gwtest.Server
	look *minio.Core
}

func newGateway(t testing.TB, buckets ...string) *gateway {
	t.Helper()
	s := gwtest.Start(t, append(buckets, bucket)...)
	look, err := minio.NewCore(strings.TrimPrefix(s.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(gwtest.Access, gwtest.Secret, ""), Region: gwtest.Region,
		Transport: &http.Transport{DisableKeepAlives: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &gateway{s, look}
}

func (g *gateway) config() S3 { return storeAt(g.URL) }

func storeAt(url string) S3 {
	return S3{Endpoint: url, Region: gwtest.Region, AccessKeyID: gwtest.Access, SecretAccessKey: gwtest.Secret}
}

func (g *gateway) options(m limiter.Mode, src, dst string) Options {
	return Options{
		Sources: []string{src}, Dest: dst, Mode: m, Workers: 4, S3: g.config(),
	}
}

func (g *gateway) put(t testing.TB, key string, data []byte) {
	t.Helper()
	_, err := g.look.Client.PutObject(context.Background(), bucket, key, bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func (g *gateway) get(t testing.TB, key string) []byte {
	t.Helper()
	o, err := g.look.Client.GetObject(context.Background(), bucket, key, minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	data, err := io.ReadAll(o)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return data
}

// uploads are those that are not finished.
func (g *gateway) uploads(t testing.TB) []minio.ObjectMultipartInfo {
	t.Helper()
	all, err := g.look.ListMultipartUploads(context.Background(), bucket, "", "", "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all.Uploads
}

// holds fails the test if an object is not data, or if an upload is unfinished.
func (g *gateway) holds(t testing.TB, key string, data []byte) {
	t.Helper()
	if got := g.get(t, key); !bytes.Equal(got, data) {
		t.Fatalf("%s has %d bytes that differ from the %d of its source", key, len(got), len(data))
	}
	if u := g.uploads(t); len(u) > 0 {
		t.Fatalf("unfinished uploads are left: %+v", u)
	}
}

// What goes up comes down again, with its time and mode, in each mode.
func TestObject(t *testing.T) {
	g := newGateway(t)
	for _, size := range []int{0, 1, 300_000, 8 * mib, 8*mib + 1, 21 * mib} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				from, to := dirs(t)
				src := write(t, filepath.Join(from, "src"), random(size))
				if err := os.Chmod(src, 0o640); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(src, longAgo, longAgo.Add(123456789)); err != nil {
					t.Fatal(err)
				}
				key := "k/" + strings.ReplaceAll(t.Name(), "/", "-")
				report := downloaded(t, g.options(m, src, "s3://bucket/"+key))
				if report.Bytes != int64(size) || report.Items != 1 {
					t.Errorf("%+v", report)
				}
				g.holds(t, key, random(size))
				dst := filepath.Join(to, "dst")
				report = downloaded(t, g.options(m, "s3://bucket/"+key, dst))
				if report.Bytes != int64(size) || report.Items != 1 {
					t.Errorf("%+v", report)
				}
				same(t, dst, random(size))
				holds(t, to, "dst")
				info, err := os.Stat(dst)
				if err != nil {
					t.Fatal(err)
				}
				if !info.ModTime().Equal(longAgo.Add(123456789)) || info.Mode() != 0o640 && !onWindows {
					t.Errorf("it has mode %v and time %v", info.Mode(), info.ModTime())
				}
			})
		})
	}
}

var onWindows = os.PathSeparator == '\\'

func testStore(t *testing.T, r *run, g *gateway) *store {
	t.Helper()
	r.S3 = g.config()
	r.web = r.openWeb()
	st, err := r.web.openStore()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.web.client.Close()
		st.close()
	})
	return st
}

// The endpoints of an object store are held to the contract of all.
func TestObjectEndpoints(t *testing.T) {
	g := newGateway(t)
	n := 0
	s3From := sourceCase{"s3", func(t *testing.T, r *run, data []byte) source {
		n++
		key := fmt.Sprint("source", n)
		g.put(t, key, data)
		return &s3Source{store: testStore(t, r, g), at: object{bucket, key}}
	}}
	s3To := sinkCase{"s3", func(t *testing.T, r *run) (sink, func() []byte) {
		n++
		key := fmt.Sprint("sink", n)
		return newS3Sink(testStore(t, r, g), "src", object{bucket, key}), func() []byte { return g.get(t, key) }
	}}
	for _, to := range append(sinkCases, s3To) {
		testEndpoints(t, s3From, to)
	}
	for _, from := range sourceCases {
		testEndpoints(t, from, s3To)
	}
}

// Nothing that the store refuses is taken for done, and the user is told what to do.
func TestObjectRefused(t *testing.T) {
	g := newGateway(t)
	g.put(t, "there", random(100))
	for _, c := range []struct {
		name, src, dst string
		change         func(*Options)
		want           string
	}{
		{"secret down", "s3://bucket/there", "", func(o *Options) { o.S3.SecretAccessKey = "wrong" }, "does not accept the credentials"},
		{"secret up", "", "s3://bucket/k", func(o *Options) { o.S3.SecretAccessKey = "wrong" }, "does not accept the credentials"},
		{"key up", "", "s3://bucket/k", func(o *Options) { o.S3.AccessKeyID = "nobody" }, "does not accept the credentials"},
		{"bucket down", "s3://missing/there", "", nil, "no such bucket"},
		{"bucket up", "", "s3://missing/k", nil, "no such bucket"},
		{"object", "s3://bucket/missing", "", nil, "no such object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				for _, size := range []int{100, 9 * mib} {
					from, to := dirs(t)
					o := g.options(m, c.src, c.dst)
					if c.src == "" {
						o.Sources[0] = write(t, filepath.Join(from, "src"), random(size))
					} else {
						o.Dest = filepath.Join(to, "dst")
					}
					if c.change != nil {
						c.change(&o)
					}
					var l logs
					o.Log = l.logger()
					report, err := quickly(o).run(t.Context())
					if err == nil {
						t.Fatalf("%+v", report)
					}
					if !strings.Contains(err.Error(), c.want) {
						t.Fatalf("%v", err)
					}
					if strings.Contains(err.Error(), gwtest.Secret) || len(l.lines(slog.LevelDebug)) > 0 {
						t.Fatal(err)
					}
					holds(t, to)
				}
			})
		})
	}
}

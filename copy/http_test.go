package copy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// A file that is another one in the middle of its download is never mixed: it is one of the two, or an error.
func TestHTTPChangesOnTheWay(t *testing.T) {
	before, after := random(400_000), random(400_001)[:400_000]
	longer := random(500_000)
	for name, v := range map[string]struct {
		etag, etag2 string
		at, at2     time.Time
		next        []byte
	}{
		"ETag":                     {`"v1"`, `"v2"`, longAgo, longAgo, after},
		"date":                     {"", "", longAgo, longAgo.Add(time.Second), after},
		"ETag, without dates":      {`"v1"`, `"v2"`, time.Time{}, time.Time{}, after},
		"length only":              {"", "", time.Time{}, time.Time{}, longer},
		"nothing":                  {"", "", time.Time{}, time.Time{}, after},
		"weak ETag":                {`W/"v1"`, `W/"v2"`, time.Time{}, time.Time{}, after},
		"length, and a date":       {"", "", longAgo, longAgo, longer},
		"ETag that goes away":      {`"v1"`, "", time.Time{}, time.Time{}, after},
		"ETag that becomes a date": {`"v1"`, "", time.Time{}, longAgo, after},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				for _, when := range []int64{2, 3, 4, 6} {
					o := newOrigin(t, before)
					o.set(func() { o.etag, o.modified = v.etag, v.at })
					var n atomic.Int64
					o.behave(func(w http.ResponseWriter, r *http.Request) bool {
						if n.Add(1) == when {
							o.set(func() { o.data, o.etag, o.modified = v.next, v.etag2, v.at2 })
						}
						o.mu.Lock()
						data, etag, modified := o.data, o.etag, o.modified
						o.mu.Unlock()
						serve(w, r, data, etag, modified)
						return true
					})
					_, to := dirs(t)
					report, err := quickly(fetch(to, o.URL+"/f", m)).run(t.Context())
					got, readErr := os.ReadFile(filepath.Join(to, "f"))
					switch {
					case errors.Is(readErr, fs.ErrNotExist) && (err != nil || report.ItemsFailed == 1):
					case readErr != nil || err != nil || report.ItemsFailed > 0:
						t.Fatalf("%v, %v, %+v", readErr, err, report)
					case !bytes.Equal(got, before) && !bytes.Equal(got, v.next):
						t.Fatalf("after %d requests, the file is neither the old one nor the new one", when)
					}
				}
			})
		})
	}
}

// A file that changes or grows with every request is whole all the same, by one answer.
func TestHTTPChangesAlways(t *testing.T) {
	for name, v := range map[string]struct {
		etag  string // of which there is another one each time
		grows int64
	}{
		"ETag":            {`"%d"`, 0},
		"ETag, growing":   {`"%d"`, 1000},
		"length, growing": {"", 1000},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o := newOrigin(t, nil)
				var n atomic.Int64
				o.behave(func(w http.ResponseWriter, r *http.Request) bool {
					n := n.Add(1)
					etag := v.etag
					if etag != "" {
						etag = fmt.Sprintf(etag, n)
					}
					serve(w, r, bytes.Repeat([]byte{byte(n)}, int(300_000+n*v.grows)), etag, time.Time{})
					return true
				})
				_, to := dirs(t)
				downloaded(t, fetch(to, o.URL+"/f", m))
				got, err := os.ReadFile(filepath.Join(to, "f"))
				if err != nil || len(got) < 300_000 || bytes.Count(got, got[:1]) != len(got) ||
					int64(len(got)) != 300_000+int64(got[0])*v.grows {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
			})
		})
	}
}

// What a stopped run has left is gone on with if the file is still the same, and only then.
func TestHTTPResume(t *testing.T) {
	data := random(2_000_000)
	for name, c := range map[string]struct {
		change  func(*origin)
		resumes bool
	}{
		"same":           {func(*origin) {}, true},
		"date only":      {func(o *origin) { o.etag = "" }, true},
		"another ETag":   {func(o *origin) { o.etag = `"v2"`; o.data = random(2_000_001)[:2_000_000] }, false},
		"another length": {func(o *origin) { o.data = random(1_900_000) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o := newOrigin(t, data)
				if name == "date only" {
					o.set(func() { o.etag = "" })
				}
				_, to := dirs(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				o.behave(func(w http.ResponseWriter, r *http.Request) bool {
					if o.sent.Load() > 1_000_000 {
						cancel()
						<-r.Context().Done()
						return true
					}
					return false
				})
				if _, err := quickly(fetch(to, o.URL+"/f", m)).run(ctx); !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				holds(t, to, ".f.pace-journal", ".f.pace-part")
				o.behave(nil)
				first := o.sent.Swap(0)
				o.set(func() { c.change(o) })
				downloaded(t, fetch(to, o.URL+"/f", m))
				same(t, filepath.Join(to, "f"), o.data)
				holds(t, to, "f")
				if total := first + o.sent.Load(); c.resumes && total > int64(len(data))*115/100 {
					t.Errorf("%d bytes were sent for %d", total, len(data))
				} else if !c.resumes && o.sent.Load() < int64(len(o.data)) {
					t.Errorf("%d bytes of another file were kept", int64(len(o.data))-o.sent.Load())
				}
			})
		})
	}
}

// A server that goes away leaves a part that the next run goes on with.
func TestHTTPServerGone(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		data := random(1_000_000)
		o := newOrigin(t, data)
		o.behave(func(w http.ResponseWriter, r *http.Request) bool {
			if o.sent.Load() > 500_000 {
				abort()
			}
			return false
		})
		_, to := dirs(t)
		opts := fetch(to, o.URL+"/f", m)
		var l logs
		opts.Log = l.logger()
		report, err := quickly(opts).run(t.Context())
		if err != nil || report.ItemsFailed != 1 {
			t.Fatalf("%+v, %v", report, err)
		}
		if told := l.lines(slog.LevelWarn); len(told) != 1 || !strings.Contains(told[0], "the same command goes on with what has arrived") {
			t.Errorf("told %q", told)
		}
		o.behave(nil)
		o.sent.Store(0)
		downloaded(t, fetch(to, o.URL+"/f", m))
		same(t, filepath.Join(to, "f"), data)
		if n := o.sent.Load(); n > 800_000 {
			t.Errorf("%d bytes were sent again", n)
		}
	})
}

// What is meant for the host that a user has named goes to no other.
func TestHTTPCredentials(t *testing.T) {
	data := random(200_000)
	for name, c := range map[string]struct {
		to   func(o, other *origin) string
		want bool
	}{
		"to another port": {func(_, other *origin) string { return other.URL + "/g" }, false},
		"to a path":       {func(*origin, *origin) string { return "/g" }, true},
		"to itself":       {func(o, _ *origin) string { return o.URL + "/g" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o, other := newOrigin(t, data), newOrigin(t, data)
				o.behave(func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != "/f" {
						return false
					}
					http.Redirect(w, r, c.to(o, other), http.StatusFound)
					return true
				})
				_, to := dirs(t)
				u, _ := url.Parse(o.URL + "/f")
				u.User = url.UserPassword("ann", "secret")
				opts := fetch(to, u.String(), m)
				opts.Network.Header = http.Header{"X-Api-Key": {"secret"}, "Cookie": {"a=b"}, "User-Agent": {"tester"}}
				var l logs
				opts.Log = l.logger()
				report := downloaded(t, opts)
				same(t, filepath.Join(to, "g"), data)
				for _, r := range append(o.asked(), other.asked()...) {
					_, _, basic := r.BasicAuth()
					own := r.URL.Path == "/f" || c.want
					if has := r.Header.Get("X-Api-Key") != "" && r.Header.Get("Cookie") != ""; has != own {
						t.Errorf("%s %s has credentials: %t", r.Host, r.URL.Path, has)
					}
					if basic != own {
						t.Errorf("%s %s has a user: %t", r.Host, r.URL.Path, basic)
					}
					if r.Header.Get("User-Agent") != "tester" {
						t.Errorf("%s %s has the agent %q", r.Host, r.URL.Path, r.Header.Get("User-Agent"))
					}
				}
				if text := fmt.Sprint(report) + l.text.String(); strings.Contains(text, "secret") {
					t.Errorf("the password is in %s", text)
				}
			})
		})
	}
}

// No more bytes than expected, no fewer, and not others.
func TestHTTPDigest(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		data := random(300_000)
		o := newOrigin(t, data)
		o.set(func() { o.etag, o.modified = "", time.Time{} }) // with a digest, chunks are fetched all the same
		_, to := dirs(t)
		opts := fetch(to, o.URL+"/f", m)
		sum := sha256.Sum256(data)
		opts.Expect = &Digest{HashSHA256, sum[:]}
		downloaded(t, opts)
		same(t, filepath.Join(to, "f"), data)
		if n := len(o.asked()); n < 5 {
			t.Errorf("%d requests: they were not of chunks", n)
		}
		if err := os.Remove(filepath.Join(to, "f")); err != nil {
			t.Fatal(err)
		}
		opts.Expect.Sum = make([]byte, 32)
		report, err := quickly(opts).run(t.Context())
		if err != nil || report.ItemsFailed != 1 || !strings.Contains(report.Errors[0].Error, "has the digest sha256:") {
			t.Fatalf("%+v, %v", report, err)
		}
		holds(t, to)
	})
}

// Requests are as many as there are workers, and the bytes arrive in order at the output, though the first come last.
func TestHTTPInFlight(t *testing.T) {
	for _, m := range []limiter.Mode{limiter.Threads, limiter.Async} {
		t.Run(m.String(), func(t *testing.T) {
			data := random(512 * kib)
			o := newOrigin(t, data)
			var gets atomic.Int64
			all := make(chan struct{})
			var once sync.Once
			o.behave(func(w http.ResponseWriter, r *http.Request) bool {
				off, _, _ := rangeOfRequest(r)
				if r.Method == http.MethodHead || off == 0 {
					return false
				}
				// The others are answered when there are as many as workers.
				if gets.Add(1) == 4 {
					once.Do(func() { close(all) })
				}
				<-all
				return false
			})
			var out bytes.Buffer
			opts := fetch("", o.URL+"/f", m)
			opts.Output = &out
			report := downloaded(t, opts)
			if !bytes.Equal(out.Bytes(), data) {
				t.Error("other bytes have come out")
			}
			if want := map[limiter.Mode]string{limiter.Threads: "blocking", limiter.Async: "poller"}[m]; report.Backend != want && runtime.GOOS == "linux" {
				t.Errorf("the backend is %s", report.Backend)
			}
		})
	}
}

// Several URLs go into a folder under the names that their servers give them; two of one name do not overwrite each other.
func TestHTTPManyFiles(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		o := newOrigin(t, random(100_000))
		o.behave(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/named" {
				w.Header().Set("Content-Disposition", `attachment; filename="../../a name.txt"`)
			}
			return false
		})
		from, to := dirs(t)
		local := write(t, filepath.Join(from, "local"), random(200_000))
		opts := fetch(to, "", m)
		opts.Sources = []string{o.URL + "/a", o.URL + "/b?x=1#part", o.URL + "/named", local, o.URL + "/x/a"}
		report, err := quickly(opts).run(t.Context())
		if err != nil || report.Items != 5 || report.ItemsFailed != 1 ||
			!strings.Contains(report.Errors[0].Error, "will not overwrite just-created") {
			t.Fatalf("%+v, %v", report, err)
		}
		holds(t, to, "a", "a name.txt", "b", "local")
		for _, name := range []string{"a", "b", "a name.txt"} {
			same(t, filepath.Join(to, name), o.data)
		}
	})
}

// A proxy is asked for whole URLs, and gets nothing that is the server's.
func TestHTTPProxy(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		o := newOrigin(t, random(300_000))
		var asked atomic.Int64
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			if r.URL.Host != "files.test" || r.Header.Get("Proxy-Authorization") == "" {
				t.Errorf("the proxy is asked for %s", r.URL)
			}
			o.ServeHTTP(w, r)
		}))
		defer proxy.Close()
		_, to := dirs(t)
		opts := fetch(to, "http://files.test/f", m)
		opts.Network.Proxy = func(*url.URL) (*url.URL, error) {
			return url.Parse(strings.Replace(proxy.URL, "://", "://ann:secret@", 1))
		}
		downloaded(t, opts)
		same(t, filepath.Join(to, "f"), o.data)
		if asked.Load() < 5 {
			t.Errorf("the proxy was asked %d times", asked.Load())
		}
	})
}

// TLS, and what is kept of a file's header.
func TestHTTPSAndTimes(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		o := newOrigin(t, random(300_000))
		server := httptest.NewTLSServer(o)
		defer server.Close()
		_, to := dirs(t)
		opts := fetch(to, server.URL+"/f", m)
		if _, err := quickly(opts).run(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Fatalf("got %v", err)
		}
		opts.Network.TLS = server.Client().Transport.(*http.Transport).TLSClientConfig
		downloaded(t, opts)
		same(t, filepath.Join(to, "f"), o.data)
		info, err := os.Stat(filepath.Join(to, "f"))
		if err != nil || !info.ModTime().Equal(longAgo) || info.Mode().Perm()&0o600 != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		opts.Update = true
		if report := downloaded(t, opts); report.ItemsSkipped != 1 {
			t.Errorf("%+v", report)
		}
	})
}

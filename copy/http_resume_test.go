package copy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/progress"
)

// stoppedHalfway downloads the first half of o's file, or a little more, and is then cancelled.
func stoppedHalfway(t *testing.T, o *origin, opts Options) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.sent.Store(0)
	o.behave(func(w http.ResponseWriter, r *http.Request) bool {
		if o.sent.Load() < int64(len(o.data))/2 {
			return false
		}
		cancel()
		<-r.Context().Done()
		return true
	})
	if _, err := quickly(opts).run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	o.behave(nil)
	o.sent.Store(0)
}

// A URL that was signed anew is of the same file if its strong ETag says so, and nothing else does.
func TestHTTPResumeElsewhere(t *testing.T) {
	data := random(2_000_000)
	for name, c := range map[string]struct {
		etag     string
		modified time.Time
		path     string
		change   func(*origin)
		resumes  bool
	}{
		"signed anew":                 {`"v1"`, longAgo, "/d/f?X-Amz-Signature=2&x=1", nil, true},
		"signed no more":              {`"v1"`, longAgo, "/d/f", nil, true},
		"by another user":             {`"v1"`, longAgo, "//bob@/d/f?X-Amz-Signature=1", nil, true},
		"signed anew, and touched":    {`"v1"`, longAgo, "/d/f?2", func(o *origin) { o.modified = longAgo.Add(time.Hour) }, true},
		"signed anew, with a date":    {"", longAgo, "/d/f?X-Amz-Signature=2", nil, false},
		"signed anew, with weak ETag": {`W/"v1"`, longAgo, "/d/f?X-Amz-Signature=2", nil, false},
		"the same, with a date":       {"", longAgo, "/d/f?X-Amz-Signature=1", nil, true},
		"at another path":             {`"v1"`, longAgo, "/e/f?X-Amz-Signature=1", nil, false},
		"another ETag":                {`"v1"`, longAgo, "/d/f?X-Amz-Signature=2", func(o *origin) { o.etag = `"v2"` }, false},
		"another size": {`"v1"`, longAgo, "/d/f?X-Amz-Signature=2",
			func(o *origin) { o.data = random(2_100_000) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o := newOrigin(t, data)
				o.set(func() { o.etag, o.modified = c.etag, c.modified })
				_, to := dirs(t)
				stoppedHalfway(t, o, fetch(to, o.URL+"/d/f?X-Amz-Signature=1", m))
				if c.change != nil {
					o.set(func() { c.change(o) })
				}
				again := o.URL + c.path
				if user, ok := strings.CutPrefix(c.path, "//bob@"); ok {
					again = strings.Replace(o.URL, "://", "://bob@", 1) + user
				}
				downloaded(t, fetch(to, again, m))
				same(t, filepath.Join(to, "f"), o.data)
				holds(t, to, "f")
				if all := int64(len(o.data)); (o.sent.Load() < all*3/4) != c.resumes {
					t.Errorf("%d of %d bytes were sent", o.sent.Load(), all)
				}
			})
		})
	}
}

// A signature that runs out in the middle costs nothing of what has arrived: the next one goes on with that.
func TestHTTPSignatureExpires(t *testing.T) {
	data := random(2_000_000)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		o := newOrigin(t, data)
		o.behave(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("sig") == "1" && o.sent.Load() > 1_000_000 {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		})
		_, to := dirs(t)
		report, err := quickly(fetch(to, o.URL+"/f?sig=1", m)).run(t.Context())
		if err != nil || report.ItemsFailed != 1 || !strings.HasSuffix(report.Errors[0].Error, "/f?sig=...: the server answers 403 Forbidden") {
			t.Fatalf("%v, %+v", err, report)
		}
		o.sent.Store(0)
		downloaded(t, fetch(to, o.URL+"/f?sig=2", m))
		same(t, filepath.Join(to, "f"), data)
		if n := o.sent.Load(); n > 1_300_000 {
			t.Errorf("%d bytes were sent again", n)
		}
	})
}

// What lies where a part file should be, or is left of one, is never taken for the file.
func TestHTTPResumeSpoiled(t *testing.T) {
	data := random(1_000_000)
	for name, spoil := range map[string]func(t *testing.T, part, journal string){
		"damaged journal": func(t *testing.T, _, journal string) { flip(t, journal, 30) },
		"damaged record":  func(t *testing.T, _, journal string) { flip(t, journal, headerLen+5) },
		"empty journal":   func(t *testing.T, _, journal string) { cutTo(t, journal, 0) },
		"no journal":      func(t *testing.T, _, journal string) { gone(t, journal) },
		"no part":         func(t *testing.T, part, _ string) { gone(t, part) },
		"short part":      func(t *testing.T, part, _ string) { cutTo(t, part, 1000) },
		"long part":       func(t *testing.T, part, _ string) { cutTo(t, part, 2_000_000) },
		"another part": func(t *testing.T, part, _ string) {
			gone(t, part)
			write(t, part, make([]byte, len(data)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inModes(t, func(t *testing.T, m limiter.Mode) {
				o := newOrigin(t, data)
				_, to := dirs(t)
				stoppedHalfway(t, o, fetch(to, o.URL+"/f", m))
				spoil(t, filepath.Join(to, ".f.pace-part"), filepath.Join(to, ".f.pace-journal"))
				downloaded(t, fetch(to, o.URL+"/f", m))
				same(t, filepath.Join(to, "f"), data)
				holds(t, to, "f")
			})
		})
	}
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func cutTo(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func gone(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// What cannot be gone on with is not kept, and that is said.
func TestHTTPNoResume(t *testing.T) {
	data := random(1_000_000)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		s := newRaw(t, func(r raw) bool {
			r.say(data[:700_000], "HTTP/1.1 200 OK", "Content-Length: 1000000")
			_, _ = r.conn.Read(make([]byte, 1)) // until it is closed
			return false
		})
		_, to := dirs(t)
		opts := fetch(to, s.url+"/f", m)
		opts.Progress = progress.New()
		var l logs
		opts.Log = l.logger()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for ctx.Err() == nil && opts.Progress.Snapshot().Bytes < 600_000 {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		if _, err := quickly(opts).run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		<-ended
		holds(t, to)
		if told := l.lines(slog.LevelWarn); len(told) != 1 || !strings.Contains(told[0], "begins anew") {
			t.Errorf("told %q", told)
		}
	})
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pace/crawl/site"
	"pace/limiter"
)

// A full disk under the state ends the crawl with one line that says so; when there is room again, it goes on, and each
// page has one record.
func TestCrawlStateOnAFullDisk(t *testing.T) {
	for _, m := range limiter.Modes {
		t.Run(m.String(), func(t *testing.T) {
			const pages = 400
			small, out := t.TempDir(), filepath.Join(t.TempDir(), "pages.jsonl")
			if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
				if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
					t.Skip("the system gives no right to mount:", err)
				}
				t.Fatal("mount:", err)
			}
			t.Cleanup(func() { _ = unix.Unmount(small, unix.MNT_DETACH) })
			// Long URLs fill the state before the crawl is done.
			s := site.New(site.Options{Pages: pages, Links: 30, PageSize: 4 << 10})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/p/") || r.URL.Path == "/" {
					longLinks(s.Handler(), w, r)
					return
				}
				s.Handler().ServeHTTP(w, r)
			}))
			t.Cleanup(server.Close)
			state := filepath.Join(small, "state")
			crawl := func(args ...string) (int, string) {
				var errs bytes.Buffer
				cmd := paceCommand(t, append([]string{"crawl", "--mode", m.String(), "--state", state, "--rate", "0", "--quiet"}, args...)...)
				cmd.Stderr = &errs
				return exitCodeOf(t, cmd.Run()), errs.String()
			}
			code, text := crawl("--output", out, "--depth", "1000", server.URL+"/")
			if code != exitStopped || strings.Count(text, "\n") != 1 || !strings.Contains(text, "no space left") {
				t.Fatalf("exit %d, want %d and one line: %s", code, exitStopped, text)
			}
			before := recordURLs(t, out)
			if err := unix.Mount("", small, "", unix.MS_REMOUNT, "size=200m"); err != nil {
				t.Fatal(err)
			}
			if code, text := crawl(); code != exitOK {
				t.Fatalf("the resume: exit %d: %s", code, text)
			}
			after := recordURLs(t, out)
			t.Logf("%d records before, %d after", len(before), len(after))
			if len(before) == 0 || len(before) >= len(after) || len(after) != pages {
				t.Errorf("%d records before the resume and %d after it, want %d", len(before), len(after), pages)
			}
		})
	}
}

// longLinks serves a page of the site with a long query on each of its links.
func longLinks(h http.Handler, w http.ResponseWriter, r *http.Request) {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	w.Header().Set("Content-Type", recorder.Header().Get("Content-Type"))
	w.WriteHeader(recorder.Code)
	body := recorder.Body.String()
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(body, `href="/p/`)
		b.WriteString(before)
		if !ok {
			break
		}
		number, tail, _ := strings.Cut(rest, `"`)
		b.WriteString(`href="/p/` + number + `?` + strings.Repeat("q", 1400) + number + `"`)
		body = tail
	}
	_, _ = w.Write([]byte(b.String()))
}

// recordURLs returns the URLs of all records that are whole; none may have two.
func recordURLs(t *testing.T, path string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	urls := map[string]bool{}
	for line := range bytes.Lines(text) {
		var r struct{ URL string }
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v in %.100q", err, line)
		}
		if urls[r.URL] {
			t.Errorf("two records of %.60s", r.URL)
		}
		urls[r.URL] = true
	}
	return urls
}

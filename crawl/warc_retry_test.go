package crawl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

// responsesOf returns the status lines of the archived responses, by path, in the order of the archive.
func responsesOf(t *testing.T, prefix string) map[string][]string {
	t.Helper()
	lines := map[string][]string{}
	for _, r := range readArchive(t, prefix) {
		if kind := r.fields["WARC-Type"]; kind == "response" || kind == "revisit" {
			first, _, _ := strings.Cut(string(r.block), "\r\n")
			path := strings.TrimPrefix(r.fields["WARC-Target-URI"], "http://a.test")
			text := strings.TrimPrefix(first, "HTTP/1.1 ")
			if cut := r.fields["WARC-Truncated"]; cut != "" {
				text += " cut by " + cut
			}
			lines[path] = append(lines[path], text)
		}
	}
	return lines
}

// An archive has each answer, also those after which the page was asked for again, and these are in no other output.
func TestWARCOfTries(t *testing.T) {
	type pages = map[string]http.HandlerFunc
	again := func(codes ...int) http.HandlerFunc { return withHeader("Retry-After", "0", status(codes...)) }
	want := map[string][]string{
		"/robots.txt": {"500 Internal Server Error", "404 Not Found"},
		"/":           {"200 OK"},
		"/busy":       {"503 Service Unavailable", "429 Too Many Requests", "200 OK"},
		"/half":       {"200 OK cut by disconnect", "200 OK"},
		"/dead":       {"200 OK"},
		"/never":      {"502 Bad Gateway", "502 Bad Gateway", "502 Bad Gateway"},
	}
	for _, state := range []bool{false, true} {
		t.Run(fmt.Sprint("state ", state), func(t *testing.T) {
			inEachMode(t, func(t *testing.T, m limiter.Mode) {
				t.Parallel() // it waits between tries
				w := newWorld(t, pages{
					"/robots.txt": again(500, 404), "/": links("/busy", "/half", "/dead", "/never"), "/busy": again(503, 429, 200),
					"/half":  first(rawAnswer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), htmlPage("whole")),
					"/never": again(502), "/dead": hangUp(1, htmlPage("x")),
				})
				dir := t.TempDir()
				o := w.keeping(m, dir, "http://a.test/")
				if !state {
					o.State = ""
				}
				o.Timeout = time.Minute // a machine may be slow, and a timeout is a try
				o.Retries, o.WARC, o.Graph, o.Mirror = 2, filepath.Join(dir, "w"), filepath.Join(dir, "g"), filepath.Join(dir, "m")
				o.CheckLinks, o.LinkSpool = true, filepath.Join(dir, "links")
				report, err := Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, responsesOf(t, o.WARC)); d != "" {
					t.Errorf("responses (-want +got):\n%s", d)
				}
				if got := recordsOf(t, o.OutputFile); len(got) != 5 || report.Items != 5 {
					t.Errorf("records of %v, %d items", got, report.Items)
				}
				answers := 0
				for line := range strings.Lines(readText(o.LinkSpool)) {
					if strings.HasPrefix(line, `{"url":`) {
						answers++
					}
				}
				if answers != 5 || len(report.BrokenLinks) != 1 {
					t.Errorf("%d answers were noted, broken are %v", answers, report.BrokenLinks)
				}
			})
		})
	}
}

// A crawl that is stopped in its second try has the first answer, once.
func TestWARCOfTriesResumed(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		ctx, cancel := context.WithCancel(t.Context())
		var tries atomic.Int64
		w := newWorld(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
			switch tries.Add(1) {
			case 1:
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusServiceUnavailable)
			case 2:
				cancel()
				<-r.Context().Done()
			}
		}})
		dir := t.TempDir()
		o := w.keeping(m, dir, "http://a.test/")
		o.Retries, o.WARC = 2, filepath.Join(dir, "w")
		if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		o.Seeds = nil
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		want := []string{"503 Service Unavailable", "200 OK"}
		if got := responsesOf(t, o.WARC); !slices.Equal(got["/"], want) || tries.Load() != 3 {
			t.Errorf("it was asked for %d times, and archived are %v", tries.Load(), got)
		}
	})
}

package crawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"pace/limiter"
)

// openFiles returns how many descriptors and threads this process has, 0 where the system does not say.
func openFiles() (descriptors, threads int) {
	fds, _ := os.ReadDir("/proc/self/fd")
	tasks, _ := os.ReadDir("/proc/self/task")
	return len(fds), len(tasks)
}

// TestCancelAtRandomMoments ends crawls of every sort of page, in the middle of whatever they do. Run must come back
// within a second and leave nothing behind.
func TestCancelAtRandomMoments(t *testing.T) {
	pages := map[string]http.HandlerFunc{
		"a.test/robots.txt": silent, "b.test/robots.txt": withHeader("Retry-After", "3600", status(503)),
		"d.test/robots.txt": endless(okHeader+"\r\n", "#\n", time.Millisecond),
		"/0":                links("/1", "/2", "/3", "/4", "/5", "/6", "http://a.test/", "http://b.test/", "http://d.test/"),
		"/1":                silent, "/2": endless(okHeader, "X", time.Millisecond), "/3": endless(okHeader+"\r\n", "x", time.Millisecond),
		"/4": hangUp(1000, nil), "/5": redirect("/6"), "/6": links("/7", "/8", "/9", "/10", "/11"),
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, pages)
		warm := w.options(m, "http://c.test/10")
		if _, _, err := crawl(t, warm); err != nil {
			t.Fatal(err)
		}
		w.server.CloseClientConnections()
		fdsBefore, threadsBefore := openFiles()
		for i := range 16 {
			o := w.options(m, "http://c.test/0")
			o.Scope, o.Retries, o.Output, o.PerHost = ScopeAny, 2, io.Discard, 4
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*i)*time.Millisecond)
			_, err := Run(ctx, o)
			late, _ := ctx.Deadline()
			if took := time.Since(late); !errors.Is(err, context.DeadlineExceeded) || took > time.Second {
				t.Errorf("round %d: %v after the deadline: %v", i, took, err)
			}
			cancel()
		}
		w.server.CloseClientConnections()
		w.server.Close()
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			fds, threads := openFiles()
			if fds <= fdsBefore && threads <= threadsBefore+8 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d descriptors and %d threads, %d and %d before", fds, threads, fdsBefore, threadsBefore)
			}
		}
	})
}

// TestCancelAmongManyLinks is about a page whose links take minutes to go through.
func TestCancelAmongManyLinks(t *testing.T) {
	var body, rules strings.Builder
	for i := range 400_000 {
		fmt.Fprintf(&body, `<a href="/%s/%d">`, strings.Repeat("a", 20), i)
	}
	rules.WriteString("User-agent: *\n")
	for rules.Len() < maxRobots-100 {
		fmt.Fprintf(&rules, "Disallow: /*b\n")
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		ctx, cancel := context.WithCancel(t.Context())
		var began time.Time
		w := newWorld(t, map[string]http.HandlerFunc{
			"/robots.txt": htmlPage(rules.String()),
			"/": func(rw http.ResponseWriter, r *http.Request) {
				htmlPage(body.String())(rw, r)
				time.AfterFunc(time.Second, func() { began = time.Now(); cancel() }) // among the links by then
			},
		})
		_, err := Run(ctx, w.options(m, "http://a.test/"))
		if took := time.Since(began); took > 15*time.Second || !errors.Is(err, context.Canceled) {
			t.Errorf("%v after the cancellation: %v", took, err)
		}
	})
}

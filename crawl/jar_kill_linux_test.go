package crawl

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pace/limiter"
)

// A crawl that is killed goes on in the session that it had: a cookie is in the jar before the page that set it counts,
// or else a second later.
func TestKilledCrawlKeepsCookies(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		jar := filepath.Join(t.TempDir(), "jar")
		waiting := make(chan struct{})
		var mu sync.Mutex
		var atOne, sent string // what the jar has when /1 is asked for, and what came with /2
		hang := true
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			mu.Lock()
			defer mu.Unlock()
			switch r.URL.Path {
			case "/":
				w.Header().Add("Set-Cookie", "session=early")
				_, _ = w.Write([]byte(`<a href="/1">x</a>`))
			case "/1":
				atOne = readText(jar)
				w.Header().Add("Set-Cookie", "later=late")
				_, _ = w.Write([]byte(`<a href="/2">x</a>`))
			case "/2":
				if !hang {
					sent = r.Header.Get("Cookie")
					return
				}
				hang = false
				close(waiting)
				mu.Unlock()
				<-r.Context().Done()
				mu.Lock()
			default:
				http.NotFound(w, r)
			}
		}))
		t.Cleanup(server.Close)
		k := killedCrawl{Seed: server.URL + "/", Dir: t.TempDir(), Mode: m, Workers: 2,
			Set: map[string]any{"CookieJar": jar, "Timeout": 5 * time.Minute}}
		c := startChild(t, k)
		select {
		case <-waiting:
		case <-time.After(2 * time.Minute):
			t.Error("the last page was not asked for")
		}
		for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(readText(jar), "later\tlate"); {
			if time.Now().After(deadline) {
				t.Error("the second cookie is not in the jar")
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		c.kill()
		if c.wait(t) {
			t.Fatal("the crawl ended before it was killed")
		}
		mu.Lock()
		if !strings.Contains(atOne, "session\tearly") {
			t.Errorf("after the first page the jar was %q", atOne)
		}
		mu.Unlock()
		k.Seed = ""
		if _, err := Run(t.Context(), k.options()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if sent != "session=early; later=late" {
			t.Errorf("the last page was asked for with the cookies %q", sent)
		}
	})
}

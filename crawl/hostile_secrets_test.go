package crawl

import (
	"context"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"pace/limiter"
)

// A seed's host stays one that the user named when the seed redirects to it: a resume may ask it, though it is private,
// and with the user's secrets.
func TestResumeKnowsARedirectedSeedsHost(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		var mu sync.Mutex
		var sent string
		w := newWorld(t, map[string]http.HandlerFunc{
			"/": redirect("/1"), "/1": links("/2"), "/2": func(_ http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				sent = r.Header.Get("Authorization")
			},
		})
		o := w.keeping(m, t.TempDir(), w.server.URL+"/")
		o.Resolve, o.Header = nil, http.Header{"Authorization": {"secret"}}
		stopAt(t, w, o, "127.0.0.1/2")
		o.Seeds = nil
		report, err := Run(t.Context(), o)
		if err != nil || report.Items != 1 || report.ItemsFailed != 0 {
			t.Errorf("%d items, %d failed: %v", report.Items, report.ItemsFailed, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if sent != "secret" {
			t.Errorf("the resume sent %q", sent)
		}
	})
}

// Where the user named a host with https only, its secrets do not go out in the clear: a link or a redirect to http would
// show them to whoever listens. It is so after a resume too.
func TestSecretsStayEncrypted(t *testing.T) {
	for _, c := range []struct {
		seeds []string
		clear bool
	}{
		{[]string{"https://a.test/"}, false},
		{[]string{"http://a.test/"}, true},
		{[]string{"a.test/"}, true}, // https, and http where that does not answer
		{[]string{"https://a.test/", "http://a.test/"}, true},
		{[]string{"http://a.test/", "https://a.test/"}, true},
		{[]string{"https://a.test/", "http://b.test/"}, false},
	} {
		o := Options{Seeds: c.seeds, State: filepath.Join(t.TempDir(), "state"), Header: http.Header{"Authorization": {"secret"}}}
		for _, run := range []string{"first", "second"} {
			crawler, seeds, err := newCrawler(o)
			if err != nil {
				t.Fatal(err)
			}
			for url, want := range map[string]bool{"https://a.test/x": true, "http://a.test/x": c.clear, "https://c.test/": false} {
				if got := crawler.request(t.Context(), mustURL(t, url)).Header.Get("Authorization") != ""; got != want {
					t.Errorf("seeds %q, %s run: %s gets the secrets is %v", c.seeds, run, url, got)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := crawler.run(ctx, seeds); err == nil {
				t.Error("the crawl was not stopped")
			}
			o.Seeds = nil
		}
	}
}

package crawl

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"pace/limiter"
)

// The sitemaps of all runs of a state count together, each once; a recrawl reads them anew.
func TestSitemapsAreBoundedOverRuns(t *testing.T) {
	const a = "http://a.test"
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		maps := map[string]http.HandlerFunc{
			"/robots.txt": htmlPage("Sitemap: /i"), "/": htmlPage(""), "/stop": htmlPage(""),
			// It speaks of each twice.
			"/i": indexOf(a+"/s1", a+"/s1", a+"/s2", a+"/s2", a+"/s3", a+"/s3", a+"/s4"), "/s1": mapOf(a + "/stop"),
		}
		for i := 2; i <= 4; i++ {
			maps[fmt.Sprint("/s", i)] = mapOf(fmt.Sprint(a, "/", i))
		}
		w := newWorld(t, maps)
		o := w.keeping(m, t.TempDir(), a+"/")
		o.Sitemaps, o.Workers = true, 1
		stopAt(t, w, o, "/s1")
		bounded := func(o Options) (warnings string) {
			t.Helper()
			var log strings.Builder
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			c, seeds, err := newCrawler(o)
			if err != nil {
				t.Fatal(err)
			}
			c.boundSitemaps(5)
			if _, err := c.run(t.Context(), seeds); err != nil {
				t.Fatal(err)
			}
			return log.String()
		}
		// With those of the first run there are five.
		w.set("/s2", indexOf(a+"/s5", a+"/s6"))
		w.set("/s5", mapOf(a+"/no"))
		o.Seeds = nil
		if log := bounded(o); !strings.Contains(log, "more than 5 sitemaps") {
			t.Errorf("the log is %q", log)
		}
		if w.hitsOf("a.test/s4") != 1 || w.hitsOf("a.test/s5")+w.hitsOf("a.test/s6") != 0 {
			t.Errorf("/s4 was asked for %d times, /s5 %d, /s6 %d", w.hitsOf("a.test/s4"), w.hitsOf("a.test/s5"), w.hitsOf("a.test/s6"))
		}
		w.set("/s2", mapOf(a+"/2"))
		o.Recrawl = true
		if log := bounded(o); strings.Contains(log, "sitemaps") {
			t.Errorf("the recrawl's log is %q", log)
		}
	})
}

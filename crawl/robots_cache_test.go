package crawl

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pace/limiter"
)

// What is asked about stays, what is not makes room, and what is on its way is never lost.
func TestRobotsCache(t *testing.T) {
	c := robotsCache{most: 10}
	known := func(origin string, v *robotsVerdict) *robotsFile {
		file := &robotsFile{origin: origin}
		if v != nil {
			file.verdict.Store(v)
			file.used.Store(true)
		}
		return file
	}
	c.put(known("used", &robotsVerdict{}))
	c.put(known("coming", nil))
	waited := known("waited for", &robotsVerdict{})
	waited.used.Store(false)
	c.put(waited)
	c.put(known("skipped", &robotsVerdict{skip: true}))
	c.put(known("unused", &robotsVerdict{}))
	for i := range 100 {
		c.put(known(fmt.Sprint(i), &robotsVerdict{}))
		if c.get("used") == nil || len(c.recent)+len(c.older) > 13 {
			t.Fatalf("after %d files: used is %v, %d files", i, c.get("used"), len(c.recent)+len(c.older))
		}
	}
	if c.get("coming") == nil || c.get("waited for") == nil || c.get("skipped") != nil || c.get("unused") != nil {
		t.Errorf("coming %v, skipped %v, unused %v", c.get("coming"), c.get("skipped"), c.get("unused"))
	}
	if len(c.dropped) != 1 || c.dropped[0] != "skipped" {
		t.Errorf("dropped %q", c.dropped)
	}
}

// A crawl with room for hardly any robots.txt obeys all of them: it asks again.
func TestRobotsMakeRoom(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		pages := map[string]http.HandlerFunc{}
		var all []string
		for _, host := range []string{"a", "b", "c", "d"} {
			pages[host+".test/robots.txt"] = htmlPage("user-agent: *\ndisallow: /no")
			for i := range 10 {
				next := "http://" + string('a'+(host[0]-'a'+1)%4) + ".test"
				pages[fmt.Sprintf("%s.test/%d", host, i)] = links(fmt.Sprintf("%s/%d", next, i+1), next+"/no")
				all = append(all, fmt.Sprintf("http://%s.test/%d", host, i))
			}
			pages[host+".test/no"] = func(http.ResponseWriter, *http.Request) { t.Error("a forbidden page was asked for") }
		}
		pages["d.test/robots.txt"] = status(http.StatusServiceUnavailable)
		w := newWorld(t, pages)
		o := w.options(m, all...)
		o.Scope = ScopeAny
		var out strings.Builder
		o.Output = &out
		c, seeds, err := newCrawler(o)
		if err != nil {
			t.Fatal(err)
		}
		c.files.most = 2
		if _, err := c.run(t.Context(), seeds); err != nil {
			t.Fatal(err)
		}
		for _, url := range all {
			if n := strings.Count(out.String(), `{"url":"`+url+`"`); n != 1 {
				t.Errorf("%d records of %s", n, url)
			}
			failed := strings.Contains(out.String(), `{"url":"`+url+`","final_url":"`+url+`","status":0,`)
			if failed != strings.HasPrefix(url, "http://d.test") {
				t.Errorf("%s failed: %v", url, failed)
			}
		}
		// Where many pages are on their way at once, those of a host may all be before its robots.txt has to go.
		if n := w.hitsOf("a.test/robots.txt"); n < 2 && m == limiter.Sequential {
			t.Errorf("a robots.txt was asked for %d times, which is no test", n)
		}
	})
}

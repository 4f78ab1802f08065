package crawl

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pace/limiter"
	"pace/limiter/progress"
)

// A finished mirror gets the pages of a later run too, with links to those that it has.
func TestMirrorGoesOnAfterItsEnd(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{
			"a.test/1": links("/hop"), "a.test/hop": redirect("/2"), "a.test/2": htmlPage("two"),
			"a.test/3": links("/1", "/hop", "/4"), "a.test/4": links("/3"), "a.test/2/5": htmlPage("five"),
		})
		dir := t.TempDir()
		o := w.keeping(m, dir, "http://a.test/1")
		o.Mirror = filepath.Join(dir, "m")
		for _, seeds := range [][]string{{"http://a.test/1"}, nil, {"http://a.test/3"}, {"http://a.test/2/5"}, nil} {
			o.Seeds = seeds
			if _, err := Run(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		files := tree(t, o.Mirror)
		if got := files["a.test/3.html"]; !strings.Contains(got, `"1.html"`) || !strings.Contains(got, `"2.html"`) || !strings.Contains(got, `"4.html"`) {
			t.Errorf("the page of the third run leads to %s", got)
		}
		for _, name := range []string{"a.test/1.html", "a.test/2.html", "a.test/4.html", "a.test/2/5.html"} {
			if _, ok := files[name]; !ok {
				t.Errorf("%s is missing in %v", name, slices.Sorted(maps.Keys(files)))
			}
		}
		for _, seed := range []string{"1", "3", "2/5"} {
			if !strings.Contains(files["index.html"], "http://a.test/"+seed) {
				t.Errorf("the first page does not lead to /%s: %s", seed, files["index.html"])
			}
		}
		if _, ok := files[mirrorBodies]; ok {
			t.Error("the bodies are still there")
		}
	})
}

// Where only sitemaps are left to read when the time is over, the crawl is not at its end, nor is its mirror.
func TestMaxTimeLeavesSitemaps(t *testing.T) {
	const most = 500 * time.Millisecond
	w := newWorld(t, map[string]http.HandlerFunc{
		"a.test/": func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(most) // a slow server: when the page is there, the time is over
			htmlPage("root")(w, r)
		},
		"a.test/sitemap.xml": mapOf("http://a.test/1"), "a.test/1": htmlPage("one"),
	})
	dir := t.TempDir()
	o := w.keeping(limiter.Async, dir, "http://a.test/")
	o.Mirror, o.Sitemaps, o.Workers, o.MaxTime = filepath.Join(dir, "m"), true, 1, most
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if w.hitsOf("a.test/sitemap.xml") > 0 || w.hitsOf("a.test/") != 1 {
		t.Fatalf("the time was over at another moment: %v", w.hits)
	}
	if _, ok := tree(t, o.Mirror)["index.html"]; ok {
		t.Error("the mirror was finished with a sitemap left to read")
	}
	o.MaxTime, o.Seeds = 0, nil
	o.Progress = progress.New()
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if s := o.Progress.Snapshot(); s.Items != 1 || s.ItemsTotal != 1 {
		t.Errorf("the second run has %d items of %d, want the 1 of the sitemap", s.Items, s.ItemsTotal)
	}
	if files := tree(t, o.Mirror); files["a.test/1.html"] != "one" || files["a.test/index.html"] != "root" {
		t.Errorf("the mirror has %v", files)
	}
}

// A crawl whose mirror was removed does not go on as if nothing had happened.
func TestMirrorThatIsGone(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{"a.test/": links("/1"), "a.test/1": links()})
	dir := t.TempDir()
	o := w.keeping(limiter.Async, dir, "http://a.test/")
	o.Mirror, o.Workers = filepath.Join(dir, "m"), 1
	stopAt(t, w, o, "a.test/1")
	if err := os.RemoveAll(o.Mirror); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("the second run: %v", err)
	}
}

// What an older mirror left in the way of the new one costs no page.
func TestMirrorOverAnotherSite(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.test/1.html/old", "a.test/d"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, map[string]http.HandlerFunc{"a.test/": links("/1", "/d/e"), "a.test/1": htmlPage("one"), "a.test/d/e": htmlPage("e")})
	o := w.options(limiter.Async, "http://a.test/")
	o.Mirror = dir
	if _, _, err := crawl(t, o); err != nil {
		t.Fatal(err)
	}
	files, one := tree(t, dir), "1~"+nameHash("http://a.test/1", 8)+".html"
	if files["a.test/"+one] != "one" || files["a.test/d/e.html"] != "e" || files["a.test/1.html/old"] != "old" ||
		!strings.Contains(files["a.test/index.html"], one) {
		t.Errorf("the mirror has %v", files)
	}
}

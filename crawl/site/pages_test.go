package site

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var href = regexp.MustCompile(`<a href="([^"]*)">`)

// walk returns the content of every page that can be reached from /.
func walk(t *testing.T, s *Site) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for queue := []string{"/"}; len(queue) > 0; queue = queue[1:] {
		path := queue[0]
		if _, ok := pages[path]; ok {
			continue
		}
		resp := get(s, path)
		pages[path] = body(t, resp)
		if resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(pages[path])) {
			t.Fatalf("%s: status %d, %d bytes declared, %d sent",
				path, resp.StatusCode, resp.ContentLength, len(pages[path]))
		}
		for _, m := range href.FindAllStringSubmatch(pages[path], -1) {
			queue = append(queue, m[1])
		}
	}
	return pages
}

func TestEveryPageIsReachable(t *testing.T) {
	for _, o := range []Options{
		{},
		{Pages: 1},
		{Pages: 2, Links: 1},
		{Pages: 50, Links: 1},                  // a chain
		{Pages: 3000, Links: 3, PageSize: 700}, // a binary tree and one more link each
		{Pages: 300, Links: 1000, PageSize: 5000}, // room for few links besides the tree's, and none on /
		{Pages: 10, Links: 4, PageSize: 1},        // no room at all
	} {
		pages := walk(t, New(o))
		if want := max(o.Pages, 1); o.Pages > 0 && len(pages) != want || o.Pages == 0 && len(pages) != DefaultPages {
			t.Errorf("%+v: %d pages reached", o, len(pages))
		}
	}
}

func TestPageSizeIsExact(t *testing.T) {
	// Each size near a paragraph's end, where the room left is too little for another.
	for size := 600; size < 4000; size += 7 {
		s := New(Options{PageSize: size, Links: 3})
		for _, path := range []string{"/", "/p/1", "/p/999"} {
			if b := body(t, get(s, path)); len(b) != size || !strings.HasSuffix(b, "</body>\n</html>\n") {
				t.Fatalf("%s has %d bytes, want %d", path, len(b), size)
			}
		}
	}
}

func TestPageHasTitleAndAllItsLinks(t *testing.T) {
	b := body(t, get(New(Options{Pages: 5000, Links: 12}), "/p/42"))
	if !strings.Contains(b, "<title>Page 42 of 5000</title>") {
		t.Error("no title")
	}
	if n := len(href.FindAllString(b, -1)); n != 12 {
		t.Errorf("%d links", n)
	}
}

func TestSeedDecidesContent(t *testing.T) {
	o := Options{Pages: 200, Seed: 1}
	one, again := walk(t, New(o)), walk(t, New(o))
	o.Seed = 2
	other := walk(t, New(o))
	for path, content := range one {
		if again[path] != content {
			t.Errorf("%s differs with the same seed", path)
		}
		if other[path] == content {
			t.Errorf("%s is equal with another seed", path)
		}
	}
}

func TestPageHasOneName(t *testing.T) {
	s := New(Options{Pages: 10})
	if resp := get(s, "/p/0"); resp.StatusCode != http.StatusMovedPermanently || resp.Header.Get("Location") != "/" {
		t.Errorf("/p/0: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	for _, path := range []string{"/p/10", "/p/-1", "/p/+1", "/p/07", "/p/x", "/p/", "/p/99999999999999999999", "/q"} {
		if resp := get(s, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// quiet is a response that goes nowhere.
type quiet struct{ header http.Header }

func (q *quiet) Header() http.Header         { return q.header }
func (q *quiet) Write(p []byte) (int, error) { return len(p), nil }
func (q *quiet) WriteHeader(int)             {}

func BenchmarkPage(b *testing.B) {
	for _, size := range []int{2 << 10, 16 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			s := New(Options{Pages: 20_000, PageSize: size})
			h, w := s.Handler(), &quiet{http.Header{}}
			r, err := http.NewRequest(http.MethodGet, "http://site/p/12345", nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

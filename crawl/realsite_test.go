package crawl

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"pace/limiter"
	"pace/limiter/nginxtest"
)

// linksOf returns the elements with links of a page of a site of files.
func linksOf(t *testing.T, root string, page *url.URL) *goquery.Selection {
	t.Helper()
	f, err := os.Open(filepath.Join(root, filepath.FromSlash(page.Path)))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(f)
	_ = f.Close()
	if err != nil {
		t.Fatal(err)
	}
	return doc.Find(`a[href], area[href], link[rel~=canonical][href], link[rel~=next][href], link[rel~=prev][href]`)
}

// walkSite returns the existing pages of a site of files that can be reached from its index, as goquery and net/url see
// it: nothing of what is tested here.
func walkSite(t *testing.T, root, site string) []string {
	base, err := url.Parse(site + "/index.html")
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{base.String(): true}
	for queue := []*url.URL{base}; len(queue) > 0; queue = queue[1:] {
		page := queue[0]
		linksOf(t, root, page).Each(
			func(_ int, el *goquery.Selection) {
				href, _ := el.Attr("href")
				u, err := page.Parse(href)
				if err != nil || u.Host != base.Host {
					return
				}
				u.Fragment, u.RawFragment = "", ""
				if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(u.Path))); err == nil && !reached[u.String()] {
					reached[u.String()] = true
					queue = append(queue, u)
				}
			})
	}
	return slices.Sorted(maps.Keys(reached))
}

// TestRealSite crawls a manual of over a thousand pages that nobody here wrote, from a server that nobody here wrote.
func TestRealSite(t *testing.T) {
	root := nginxtest.Docs(t)
	server := nginxtest.Start(t, nginxtest.Config{Root: root})
	want := walkSite(t, root, server.URL)
	if len(want) < 1000 {
		t.Fatalf("an independent walk finds %d pages, so it says little", len(want))
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		records, report, err := crawl(t, Options{
			Seeds: []string{server.URL + "/index.html"}, Mode: m, Depth: 1000, PerHost: 8, Workers: 8,
		})
		if err != nil || report.ItemsFailed != 0 {
			t.Fatalf("%v, %d failed", err, report.ItemsFailed)
		}
		var got []string
		for _, r := range records {
			if r.Status == 200 {
				got = append(got, r.URL)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("pages (-want +got):\n%s", d)
		}
	})
}

// TestRealServerSeesTheRate looks at the log of a server that nobody here wrote. nginx's clock stands still while it works
// or waits for a CPU, so it may read one start late and the next one not: of several crawls one must look right to it. What
// the crawl itself writes is looked at strictly by TestPolitenessOnManyHosts.
func TestRealServerSeesTheRate(t *testing.T) {
	server := nginxtest.Start(t, nginxtest.Config{Root: nginxtest.Docs(t)})
	seen := 0
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		const gap = 50 * time.Millisecond
		var tooClose []time.Duration
		for range 5 {
			_, _, err := crawl(t, Options{
				Seeds: []string{server.URL + "/index.html"}, Mode: m, Depth: 2, MaxPages: 30, PerHost: 2, Workers: 8,
				Rate: float64(time.Second) / float64(gap),
			})
			if err != nil {
				t.Fatal(err)
			}
			log := server.Log(t)
			if len(log)-seen < 30 {
				t.Fatalf("%d requests", len(log)-seen)
			}
			tooClose = nil
			for i := seen + 1; i < len(log); i++ {
				if d := log[i].Start.Sub(log[i-1].Start); d < gap-5*time.Millisecond {
					tooClose = append(tooClose, d)
				}
			}
			seen = len(log)
			if len(tooClose) <= 1 {
				return
			}
			t.Log(tooClose)
		}
		t.Errorf("requests came closer than the rate allows: %v", tooClose)
	})
}

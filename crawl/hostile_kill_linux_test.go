package crawl

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

// busySite has all that outputs keep: pages that share a body, need images and styles, move, are missing, are there only
// at the second try, and link to pages of another host.
type busySite struct {
	pages int

	mu    sync.Mutex
	asked map[string]int
	there chan struct{} // closed when so many more requests have come
	until int
}

func (s *busySite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked[r.Host+r.URL.Path]++
	nth := s.asked[r.Host+r.URL.Path]
	if s.until--; s.until == 0 {
		close(s.there)
	}
	s.mu.Unlock()
	time.Sleep(2 * time.Millisecond)
	w.Header().Set("Set-Cookie", "last"+strings.ReplaceAll(r.URL.Path, "/", "-")+"=1; max-age=1000")
	n := 0
	switch _, err := fmt.Sscanf(r.URL.Path, "/p/%d", &n); {
	case r.URL.Path == "/robots.txt":
		_, _ = fmt.Fprint(w, "user-agent: *\ndisallow: /p/13\nsitemap: http://b.test/map.xml\n")
	case r.URL.Path == "/map.xml":
		_, _ = fmt.Fprintf(w, "<urlset><url><loc>http://a.test/p/%d</loc></url></urlset>", s.pages+1)
	case r.URL.Path == "/i.png":
		typed("image/png", "an image")(w, r)
	case r.URL.Path == "/s.css":
		typed("text/css", "@import url(t.css)")(w, r)
	case err != nil || n%17 == 16:
		http.NotFound(w, r)
	case r.Host != "a.test":
		htmlPage("another host")(w, r)
	case n%11 == 5 && nth == 1:
		w.WriteHeader(http.StatusInternalServerError)
	case n%7 == 3:
		http.Redirect(w, r, fmt.Sprintf("/p/%d", (n+40)%s.pages), http.StatusFound)
	case n%5 == 4:
		htmlPage("<a href=/p/0>all the same</a>")(w, r)
	default:
		htmlPage(fmt.Sprintf(`<title>%[1]d</title><a href=/p/%[2]d>x</a><a href=/p/%[3]d>y</a><img src=/i.png>`+
			`<link rel=stylesheet href=/s.css><a href=http://b.test/p/%[1]d>b</a><a rel=nofollow href=/p/no>n</a><!--%[4]s-->`,
			n, (2*n+1)%s.pages, (2*n+2)%s.pages, strings.Repeat("x", n*100)))(w, r)
	}
}

// after returns a channel that is closed when so many more requests have come.
func (s *busySite) after(n int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until, s.there = n, make(chan struct{})
	return s.there
}

// everything is what a crawl with all outputs left.
type everything struct {
	Records, Edges, Archived []string
	Broken                   []BrokenLink
	Mirror                   map[string]string
}

var mirroredAt = regexp.MustCompile(`\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d\S*`)

// leftBy finishes a crawl in this process, and returns what it left.
func leftBy(t *testing.T, k killedCrawl) (e everything) {
	t.Helper()
	o := k.options()
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	e.Broken, e.Mirror = report.BrokenLinks, tree(t, o.Mirror)
	for name, text := range e.Mirror {
		e.Mirror[name] = mirroredAt.ReplaceAllString(text, "")
	}
	duplicates := 0
	for _, r := range readRecords(t, []byte(readText(o.OutputFile))) {
		// Which of those that lead to one page has its record, and which of those with one body is the first, is a
		// matter of time.
		if r.Status != http.StatusFound {
			e.Records = append(e.Records, fmt.Sprint(r.FinalURL, r.Status, r.SHA256, len(r.Links), r.Error))
		}
		if r.DuplicateOf != "" {
			duplicates++
		}
	}
	e.Records = append(e.Records, fmt.Sprint(duplicates, " duplicates"))
	e.Edges = slices.Sorted(strings.Lines(readText(o.Graph)))
	for _, r := range readArchive(t, o.WARC) {
		kind, url := r.fields["WARC-Type"], r.fields["WARC-Target-URI"]
		if kind == "response" || kind == "revisit" {
			_, status, _ := strings.Cut(string(r.block), " ")
			e.Archived = append(e.Archived, url+" "+status[:3])
		}
	}
	slices.Sort(e.Records)
	slices.Sort(e.Archived)
	return e
}

// TestKilledWithAllOutputs kills a crawl with every output at moments that the requests count. In the end all of them
// have what a crawl has that nobody killed.
func TestKilledWithAllOutputs(t *testing.T) {
	const pages, kills = 90, 4
	for _, m := range []limiter.Mode{limiter.Threads, limiter.Async} {
		t.Run(m.String(), func(t *testing.T) {
			s := &busySite{pages: pages, asked: map[string]int{}}
			server := httptest.NewServer(s)
			t.Cleanup(server.Close)
			addr := netip.MustParseAddrPort(server.Listener.Addr().String())
			crawl := func() killedCrawl {
				dir := t.TempDir()
				return killedCrawl{Seed: "http://a.test/p/0", Dir: dir, Mode: m, Workers: 6, WARC: true, WARCSize: 64 << 10,
					Resolve: map[string]netip.AddrPort{"a.test:80": addr, "b.test:80": addr},
					Set: map[string]any{"Mirror": filepath.Join(dir, "mirror"), "Graph": filepath.Join(dir, "graph"), "CheckLinks": true,
						"CookieJar": filepath.Join(dir, "jar"), "Sitemaps": true, "Timeout": 5 * time.Minute}}
			}
			k := crawl()
			rnd := rand.New(rand.NewPCG(3, uint64(m)))
			for n := range kills {
				there := s.after(1 + rnd.IntN(pages/kills))
				child := startChild(t, k)
				select {
				case <-there:
				case <-time.After(time.Minute):
				}
				time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond)
				child.kill()
				if child.wait(t) {
					t.Fatalf("the crawl ended before kill %d", n+1)
				}
			}
			got := leftBy(t, k)
			s.mu.Lock()
			clear(s.asked)
			s.mu.Unlock()
			want := leftBy(t, crawl())
			// A page that was in flight is asked for again, and its first answer, an error, may have been archived or not.
			for _, e := range []*everything{&got, &want} {
				e.Archived = slices.DeleteFunc(e.Archived, func(s string) bool {
					return strings.HasSuffix(s, " 500") || strings.HasSuffix(s, "robots.txt 200") || strings.HasSuffix(s, "map.xml 200")
				})
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("what the killed crawl left (-want +got):\n%s", d)
			}
		})
	}
}

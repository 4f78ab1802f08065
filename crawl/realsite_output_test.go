package crawl

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"pace/limiter"
	"pace/limiter/nginxtest"
)

// TestRealSiteCheckLinks takes a part of a real manual away, and lets half of the hosts that it links to be there.
func TestRealSiteCheckLinks(t *testing.T) {
	root := nginxtest.Docs(t)
	taken := regexp.MustCompile(`^/sql-c`)
	server := nginxtest.Start(t, nginxtest.Config{Root: root, Location: `if ($uri ~ "` + taken.String() + `") { return 404; }`})
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Host)%2 == 0 {
			w.WriteHeader(http.StatusGone)
		}
	}))
	defer elsewhere.Close()

	there := func(u *url.URL) bool {
		if u.Scheme == "https" {
			return false // no server here has a certificate
		}
		if u.Host != server.Addr {
			return len(u.Host)%2 == 1
		}
		_, err := os.Stat(filepath.Join(root, filepath.FromSlash(u.Path)))
		return err == nil && !taken.MatchString(u.Path)
	}
	want, hosts := walkLinks(t, root, server.URL, there)
	if len(want) < 100 || len(hosts) < 50 {
		t.Fatalf("an independent walk finds %d broken links and %d hosts, so it says little", len(want), len(hosts))
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		o := Options{Seeds: []string{server.URL + "/index.html"}, Mode: m, Depth: 1000, Workers: 8, CheckLinks: true,
			Timeout: time.Minute, Retries: 2, Resolve: map[string]netip.AddrPort{}}
		for host := range hosts {
			o.Resolve[host] = netip.MustParseAddrPort(elsewhere.Listener.Addr().String())
		}
		_, report, err := crawl(t, o)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]string{}
		for _, l := range report.BrokenLinks {
			got[l.URL] = l.Referrers
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("pages by broken link (-want +got):\n%s", d)
		}
	})
}

// walkLinks returns the links that lead to nothing, with the pages that have them, as goquery and net/url see a site of
// files; and the hosts and ports of all others.
func walkLinks(t *testing.T, root, site string, there func(*url.URL) bool) (broken map[string][]string, hosts map[string]bool) {
	start, err := url.Parse(site + "/index.html")
	if err != nil {
		t.Fatal(err)
	}
	broken, hosts = map[string][]string{}, map[string]bool{}
	reached := map[string]bool{start.String(): true}
	for queue := []*url.URL{start}; len(queue) > 0; queue = queue[1:] {
		page := queue[0]
		targets := map[string]*url.URL{}
		linksOf(t, root, page).Each(
			func(_ int, el *goquery.Selection) {
				u, err := page.Parse(el.AttrOr("href", ""))
				if err != nil || u.Scheme != "http" && u.Scheme != "https" {
					return
				}
				u.Fragment, u.RawFragment = "", ""
				if u.Path == "" {
					u.Path = "/"
				}
				targets[u.String()] = u
			})
		for text, u := range targets {
			if u.Host != start.Host {
				port := u.Port()
				if port == "" {
					port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
				}
				hosts[u.Hostname()+":"+port] = true
			}
			switch {
			case !there(u):
				broken[text] = append(broken[text], page.String())
			case u.Host == start.Host && !reached[text]:
				reached[text] = true
				queue = append(queue, u)
			}
		}
	}
	for _, pages := range broken {
		slices.Sort(pages)
	}
	return broken, hosts
}

// TestRealSiteMirror compares a mirror with wget2's.
func TestRealSiteMirror(t *testing.T) {
	wget, err := exec.LookPath("wget2")
	if err != nil {
		nginxtest.Missing(t, "wget2")
	}
	server := nginxtest.Start(t, nginxtest.Config{Root: nginxtest.Docs(t)})
	theirs := t.TempDir()
	cmd := exec.Command(wget, "-q", "-r", "-l", "0", "-p", "-nH", "--no-robots", "--max-threads=4", "-P", theirs, server.URL+"/index.html")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Logf("%v: %s", err, out) // 8: some answer was an error
	}
	want := slices.Sorted(maps.Keys(tree(t, theirs)))
	var first map[string]string
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		dir := t.TempDir()
		o := Options{Seeds: []string{server.URL + "/index.html"}, Mode: m, Depth: 1000, Workers: 8, Mirror: dir, IgnoreRobots: true}
		if _, report, err := crawl(t, o); err != nil || report.ItemsFailed > 0 {
			t.Fatal(err, report.Errors)
		}
		files := tree(t, dir)
		var got []string
		host := strings.Replace(server.Addr, ":", "+", 1) + "/"
		for name := range files {
			if page, ok := strings.CutPrefix(name, host); ok {
				got = append(got, page)
			}
		}
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("files (-wget2 +pace):\n%s", d)
		}
		if first == nil {
			first = files
		}
		if !maps.Equal(first, files) {
			t.Error("the modes' mirrors differ")
		}
	})
}

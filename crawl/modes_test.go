package crawl

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/crawl/site"
	"pace/limiter"
	"pace/limiter/nginxtest"
)

// TestModesAgree crawls the same site in each mode with everything that a crawl can write, and wants the same of each.
func TestModesAgree(t *testing.T) {
	t.Run("a synthetic site", func(t *testing.T) {
		const pages = 300
		server := httptest.NewServer(site.New(site.Options{Pages: pages, Links: 12, PageSize: 4 << 10}).Handler())
		defer server.Close()
		// Redirects, a page that is not there, and two with the same content.
		seeds := []string{server.URL + "/", server.URL + "/redirect/3", server.URL + "/status/404", server.URL + "/blob/1000", server.URL + "/blob/1000?again"}
		modesAgree(t, Options{Seeds: seeds}, pages+4, false)
	})
	t.Run("a manual", func(t *testing.T) {
		root := nginxtest.Docs(t)
		server := nginxtest.Start(t, nginxtest.Config{Root: root})
		elsewhere := httptest.NewServer(http.NotFoundHandler())
		defer elsewhere.Close()
		there := func(u *url.URL) bool {
			_, err := os.Stat(filepath.Join(root, filepath.FromSlash(u.Path)))
			return u.Host == server.Addr && err == nil
		}
		o := Options{Seeds: []string{server.URL + "/index.html"}, Resolve: map[string]netip.AddrPort{}}
		_, hosts := walkLinks(t, root, server.URL, there)
		for host := range hosts {
			o.Resolve[host] = netip.MustParseAddrPort(elsewhere.Listener.Addr().String())
		}
		modesAgree(t, o, 1000, true)
	})
}

// modesAgree crawls in each mode, and wants at least so many pages, and broken links or none.
func modesAgree(t *testing.T, o Options, least int, broken bool) {
	var first map[string][]string
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		dir := t.TempDir()
		o.Mode, o.Workers, o.Depth, o.Timeout = m, 16, 1000, time.Minute
		o.State, o.OutputFile, o.WARC = filepath.Join(dir, "state"), filepath.Join(dir, "pages.jsonl"), filepath.Join(dir, "archive")
		o.Mirror, o.Graph, o.CheckLinks = filepath.Join(dir, "mirror"), filepath.Join(dir, "graph.csv"), true
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		got := written(t, o, report)
		for _, what := range []string{"records", "archive", "mirror", "graph"} {
			if n := len(got[what]); n < least {
				t.Errorf("%s: %d, want at least %d", what, n, least)
			}
		}
		if n := len(got["broken"]); (n > 0) != broken {
			t.Errorf("%d broken links", n)
		}
		if first == nil {
			first = got
		}
		if d := cmp.Diff(first, got); d != "" {
			t.Errorf("(-%v +%v):\n%.4000s", limiter.Modes[0], m, d)
		}
	})
}

// written returns all that a crawl has written, as sorted lines and without what no two runs have in common: times, and
// which of several pages with the same content came first.
func written(t *testing.T, o Options, report Report) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(o.OutputFile)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	add := func(what string, parts ...any) { all[what] = append(all[what], fmt.Sprintln(parts...)) }
	for _, r := range readRecords(t, text) {
		add("records", r.URL, r.FinalURL, r.Status, r.ContentType, r.Bytes, r.SHA256, r.Title, r.Links, r.Error)
	}
	for _, r := range readArchive(t, o.WARC) {
		kind := r.fields["WARC-Type"]
		if kind == "revisit" {
			kind = "response" // the same payload digest says the rest
		}
		add("archive", kind, r.fields["WARC-Target-URI"], r.fields["WARC-Payload-Digest"])
	}
	files := tree(t, o.Mirror)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		add("mirror", name, files[name])
	}
	graph, err := os.ReadFile(o.Graph)
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(graph)) {
		add("graph", row)
	}
	for _, l := range report.BrokenLinks {
		add("broken", l)
	}
	for what := range all {
		slices.Sort(all[what])
	}
	return all
}

package crawl

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pace/limiter"
)

// evil answers for four hosts with all that a server can do to a crawl. Its paths without an end are told apart by what
// they begin with.
type evil struct {
	pages map[string]http.HandlerFunc // by "/first element" or "host/path"
	asked atomic.Int64
}

func (e *evil) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.asked.Add(1)
	page := e.pages[r.Host+r.URL.Path]
	if page == nil {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		page = e.pages["/"+first]
	}
	if page == nil {
		page = http.NotFound
	}
	page(w, r)
}

// lastNumber returns the number that a URL ends with.
func lastNumber(r *http.Request) int {
	text := r.URL.RequestURI()
	n, _ := strconv.Atoi(text[len(strings.TrimRight(text, "0123456789")):])
	return n
}

// bombOf returns so many MiB of a text, encoded.
func bombOf(coding string, mebibytes int, text string) string {
	var b bytes.Buffer
	w := encoders[coding](&b)
	piece := strings.Repeat(text, 1<<20/len(text))
	for range mebibytes {
		_, _ = io.WriteString(w, piece)
	}
	_ = w.Close()
	return b.String()
}

func newEvil() *evil {
	e := &evil{pages: map[string]http.HandlerFunc{
		// Without an end: pages, queries, folders, redirects from host to host, names of one page.
		"/farm": func(w http.ResponseWriter, r *http.Request) {
			var hrefs []string
			for i := range 20 {
				hrefs = append(hrefs, fmt.Sprintf("/farm/%d", lastNumber(r)*20+i+1))
			}
			links(hrefs...)(w, r)
		},
		"/calendar": func(w http.ResponseWriter, r *http.Request) {
			links(fmt.Sprintf("?month=%d", lastNumber(r)+1), fmt.Sprintf("?month=%d&x", lastNumber(r)+1))(w, r)
		},
		"/folder": links("folder/", "x/folder/", "./x/"),
		"/hop": func(w http.ResponseWriter, r *http.Request) {
			n := lastNumber(r) + 1
			http.Redirect(w, r, fmt.Sprintf("http://%c.test/hop/%d", 'a'+n%2, n), http.StatusFound)
		},
		"/round": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, fmt.Sprintf("http://%c.test/round", 'a'+('b'-r.Host[0])), http.StatusFound)
		},
		"/body":        endless(okHeader+"\r\n", strings.Repeat("<a href=/x>", 1000), 0),
		"/headers":     endless(okHeader, strings.Repeat("X: y\r\n", 1000), 0),
		"/interim":     endless("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 0),
		"/drip-header": endless(okHeader, "X", 50*time.Millisecond),
		"/drip-body":   endless(okHeader+"Content-Length: 9999\r\n\r\n", "x", 50*time.Millisecond),
		"/silent":      silent,
		// robots.txt: one that is a bomb, one that never ends, one that moves without an end.
		"b.test/robots.txt":  withHeader("Content-Encoding", "gzip", htmlPage(bombOf("gzip", 256, "Disallow: /secret\n"))),
		"c.test/robots.txt":  endless(okHeader+"\r\n", "#\n", 10*time.Millisecond),
		"d.test/robots.txt":  redirect("/robots-1"),
		"a.test/robots.txt":  htmlPage("Sitemap: /map-bomb\nSitemap: /map-index/1\nSitemap: /map-body\nSitemap: /map-drip\n"),
		"/map-bomb":          htmlPage(bombOf("gzip", 256, "<urlset><url><loc>http://a.test/farm/1</loc></url>")),
		"/map-body":          endless(okHeader+"\r\n<urlset>", strings.Repeat("<url><loc>/farm/1</loc></url>", 100), 0),
		"/map-drip":          endless(okHeader+"\r\n<urlset>", "<", 50*time.Millisecond),
		"/map-index":         endlessIndex,
		"/many":              manyLinks,
		"/robots-1":          redirect("http://c.test/robots-2"),
		"/robots-2":          redirect("http://d.test/robots-1"),
		"b.test/" + "secret": htmlPage(""),
	}}
	hrefs := []string{"/farm/0", "/calendar?month=0", "/folder/", "/hop/0", "/round", "http://b.test/hop/1000", "http://b.test/farm/0",
		"http://b.test/secret", "http://c.test/farm/0", "http://d.test/farm/0", "/many"}
	for _, coding := range []string{"gzip", "br", "zstd", "deflate"} {
		e.pages["/bomb-"+coding] = withHeader("Content-Encoding", coding, htmlPage(bombOf(coding, 256, "<a href=/x>")))
		for i := range 2 {
			hrefs = append(hrefs, fmt.Sprintf("/bomb-%s/%d", coding, i))
		}
	}
	hrefs = append(hrefs, "/body", "/headers", "/interim", "/drip-header", "/drip-body", "/silent")
	e.pages["a.test/"] = links(hrefs...)
	return e
}

// endlessIndex lists further indexes, as deep as one likes.
func endlessIndex(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "<sitemapindex>")
	for i := range 5 {
		_, _ = fmt.Fprintf(w, "<sitemap><loc>/map-index/%d</loc></sitemap>", lastNumber(r)*5+i)
	}
}

// manyLinks has many times the links that a page may have.
func manyLinks(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Content-Encoding", "gzip")
	zw, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	defer func() { _ = zw.Close() }()
	for size, i := 0, 0; size < 7<<20; i++ {
		n, err := fmt.Fprintf(zw, "<a href=/x/%x>", i)
		if err != nil {
			return
		}
		size += n
	}
}

// TestHostileServerAndAllOutputs crawls such a server in a child with a state and every output, kills it on the way, and
// wants each bound to hold: one record an item, no more than may be, and memory that does not depend on the server.
func TestHostileServerAndAllOutputs(t *testing.T) {
	const maxPages, perHost, most = 150, 80, 300 << 20
	e := newEvil()
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		server := httptest.NewServer(e)
		defer server.Close()
		defer server.CloseClientConnections()
		addr := netip.MustParseAddrPort(server.Listener.Addr().String())
		k := killedCrawl{
			Seed: "http://a.test/", Dir: t.TempDir(), Mode: m, Workers: 64, PerHost: 2, WARC: true, Resolve: map[string]netip.AddrPort{},
		}
		for _, host := range []string{"a.test", "b.test", "c.test", "d.test"} {
			k.Resolve[net.JoinHostPort(host, "80")] = addr
		}
		k.Set = map[string]any{
			"MaxPages": maxPages, "MaxPagesPerHost": perHost, "Retries": 0, "Timeout": time.Second, "Scope": ScopeAny,
			"MaxBody": 8 << 20, "Sitemaps": true, "CheckLinks": true,
			"Graph": filepath.Join(k.Dir, "graph.csv"), "Mirror": filepath.Join(k.Dir, "mirror"),
		}
		killChild(t, k, 2*time.Second)
		k.Seed = ""
		if !startChild(t, k).wait(t) {
			t.Fatal("the last run did not end")
		}
		peak := k.peakMemory(t)
		t.Logf("%d MiB of memory", peak>>20)
		if peak > most && !raceDetector {
			t.Errorf("%d MiB of memory", peak>>20)
		}
		checkHostileRecords(t, k.options().OutputFile, maxPages, perHost)
		readArchive(t, k.options().WARC)
		asked := e.asked.Load()
		if !startChild(t, k).wait(t) || e.asked.Load() != asked {
			t.Errorf("a finished crawl has asked for %d more", e.asked.Load()-asked)
		}
	})
}

func checkHostileRecords(t *testing.T, path string, maxPages, perHost int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen, hosts, failed := map[string]bool{}, map[string]int{}, map[string]int{}
	for _, r := range readRecords(t, text) {
		if seen[r.URL] {
			t.Errorf("%s has two records", r.URL)
		}
		seen[r.URL] = true
		hosts[mustURL(t, r.URL).Host()]++
		if r.Error != "" {
			kind, _, _ := strings.Cut(strings.SplitN(r.URL, "/", 4)[3], "/")
			failed[kind]++
		}
	}
	if len(seen) > maxPages {
		t.Errorf("%d records, more than %d", len(seen), maxPages)
	}
	for host, n := range hosts {
		if n > perHost {
			t.Errorf("%d records of %s, more than %d", n, host, perHost)
		}
	}
	for kind, want := range map[string]int{
		"bomb-gzip": 2, "bomb-br": 2, "bomb-zstd": 2, "bomb-deflate": 2, "body": 1, "headers": 1, "interim": 1,
		"drip-header": 1, "drip-body": 1, "silent": 1,
	} {
		if failed[kind] != want {
			t.Errorf("%d records of /%s have failed, want %d", failed[kind], kind, want)
		}
	}
}

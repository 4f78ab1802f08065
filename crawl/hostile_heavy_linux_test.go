package crawl

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"pace/limiter"
)

// heavy is a page that costs as much memory as it may, and what its record's error begins with.
type heavy struct {
	page http.HandlerFunc
	err  string
}

// numbered answers with many elements that differ.
func numbered(begin, format string, n int) http.HandlerFunc {
	var b bytes.Buffer
	b.WriteString(begin)
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return htmlPage(b.String())
}

// heavyPages returns pages that are far apart in what they cost. size is the largest body that is taken.
func heavyPages(size int) []heavy {
	const html, tooLong = "text/html", "the body has more than"
	nearly := size - 128<<10
	mebibytes := nearly >> 20
	var header strings.Builder
	for i := 0; header.Len() < 60<<10; i++ {
		fmt.Fprintf(&header, "%x:\r\n", i)
	}
	return []heavy{
		{filled(html, "", "<p>x ", nearly), ""},
		{filled(html, "", "x", 0), tooLong},
		{filled("text/html; charset=windows-1252", "", "\x80", nearly), ""},
		{filled("text/html; charset=utf-16le", "", "\x01\x30", nearly), ""},
		{filled(html, "<a href='/", "x", nearly), ""},
		{filled(html, "<a ", "x ", nearly/2), ""},
		{filled(html, "", "<div>", nearly), ""},
		{withHeader("Content-Encoding", "gzip", htmlPage(bombOf("gzip", 4*size>>20, "<a href=/x>"))), tooLong},
		{wideBomb("br", 4*size>>20, "<a href=/x>"), tooLong},
		{wideBomb("zstd", 4*size>>20, "<a href=/x>"), tooLong},
		{withHeader("Content-Encoding", "gzip", htmlPage(bombOf("gzip", mebibytes, "<p>x "))), ""},
		{wideBomb("br", mebibytes, "<p>x "), ""},
		{wideBomb("zstd", mebibytes, "<p>x "), ""},
		{numbered("", "<a href=/no/%x>", maxLinks), ""},
		{numbered("", "<a href='/no/%x' title='"+strings.Repeat("x", 60)+"'>text</a>", maxLinks+20_000), ""},
		{numbered("", "<a href=/no/%x>", 20_000), ""},
		{numbered("<base href='http://b.test/"+strings.Repeat("y", 1900)+"/'>", "<a href=?%x>", 20_000), ""},
		{raw(okHeader + "Content-Length: 1\r\n" + header.String() + "\r\nx"), ""},
		{endless(okHeader, strings.Repeat("X: y\r\n", 1000), 0), "read ADDR: the header of the answer is too large"},
	}
}

// TestMemoryOfManyHeavyPages has as many requests in flight as a crawl has unless it is told otherwise, each for a page
// that takes all that a page may take. Waiting for one another, none fails that is not too long.
func TestMemoryOfManyHeavyPages(t *testing.T) {
	const most = 300 << 20
	const size = 16 << 20 // as --max-body
	rounds := 4
	if raceDetector {
		rounds = 1
	}
	pages := heavyPages(size)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages[lastNumber(r)%len(pages)].page(w, r)
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	addr := server.Listener.Addr().String()
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		k := killedCrawl{
			Dir: t.TempDir(), Mode: m, Memory: true, Workers: DefaultWorkers, PerHost: DefaultWorkers,
			Resolve: map[string]netip.AddrPort{},
			Set: map[string]any{
				"MaxBody": size, "Depth": 0, "IgnoreRobots": true, "Timeout": 5 * time.Minute,
			},
		}
		for _, host := range []string{"a.test", "b.test", "c.test", "d.test"} {
			k.Resolve[net.JoinHostPort(host, "80")] = netip.MustParseAddrPort(addr)
		}
		n := rounds * len(pages)
		if m == limiter.Sequential {
			n = len(pages)
		}
		for i := range n {
			k.Seeds = append(k.Seeds, fmt.Sprintf("http://%c.test/%d", 'a'+i%4, i))
		}
		if !startChild(t, k).wait(t) {
			t.Fatal("the crawl did not end")
		}
		peak := k.peakMemory(t)
		t.Logf("%d MiB of memory", peak>>20)
		if peak > most && !raceDetector {
			t.Errorf("%d MiB of memory", peak>>20)
		}
		checkHeavyRecords(t, k, pages, addr)
	})
}

func checkHeavyRecords(t *testing.T, k killedCrawl, pages []heavy, addr string) {
	t.Helper()
	text, err := os.ReadFile(k.options().OutputFile)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range readRecords(t, text) {
		if seen[r.URL] {
			t.Errorf("%s has two records", r.URL)
		}
		seen[r.URL] = true
		var i int
		_, _ = fmt.Sscanf(mustURL(t, r.URL).RequestURI(), "/%d", &i)
		want := strings.ReplaceAll(pages[i%len(pages)].err, "ADDR", addr)
		if !strings.HasPrefix(r.Error, want) || want == "" && r.Error != "" {
			t.Errorf("%s: %q, want %q", r.URL, r.Error, want)
		}
		length := 0
		for _, link := range r.Links {
			length += len(link)
		}
		if length > maxPageText || len(r.Links) > maxLinks {
			t.Errorf("%s: %d links of %d bytes", r.URL, len(r.Links), length)
		}
	}
	if len(seen) != len(k.Seeds) {
		t.Errorf("%d records of %d pages", len(seen), len(k.Seeds))
	}
}

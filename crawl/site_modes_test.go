package crawl

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/crawl/site"
	"pace/limiter"
)

// TestModesAgreeOnADifficultSite crawls a site that is slow, compressed, in part forbidden, known by an index of sitemaps and
// often broken, and wants the same records of each mode: those of its pages as they are without all that.
func TestModesAgreeOnADifficultSite(t *testing.T) {
	faults, err := site.ParseFaults("500,cut:2,reset:2")
	if err != nil {
		t.Fatal(err)
	}
	const pages = 60
	plain := site.Options{Pages: pages, Links: 6, PageSize: 3000, Seed: 1}
	hard := plain
	hard.Gzip, hard.SitemapURLs, hard.Disallow = true, 7, []string{"/p/5"} // and so /p/50 to /p/59
	hard.Latency, hard.Jitter, hard.TailShare, hard.TailFactor = time.Millisecond, time.Millisecond, 0.1, 20
	hard.ServiceTime, hard.Concurrency, hard.RatePerConn, hard.MaxConns = time.Millisecond, 4, 1e6, 5
	hard.ErrorRate, hard.Faults = 0.15, faults

	var want []string
	for _, r := range crawlSite(t, limiter.Sequential, plain) {
		if !strings.HasPrefix(r.URL, "http://site.test/p/5") {
			want = append(want, line(r))
		}
	}
	if len(want) != pages-11 {
		t.Fatalf("%d records", len(want))
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		var got []string
		for _, r := range crawlSite(t, m, hard) {
			got = append(got, line(r))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%.4000s", d)
		}
	})
}

// line is a record without times and places on the way.
func line(r record) string {
	links := slices.Sorted(slices.Values(r.Links))
	return fmt.Sprintln(r.URL, r.FinalURL, r.Status, r.ContentType, r.Bytes, r.SHA256, r.Title, links, r.Error)
}

// crawlSite returns the records of all that robots.txt allows, sorted.
func crawlSite(t *testing.T, m limiter.Mode, o site.Options) []record {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- site.New(o).Serve(t.Context(), listener) }()
	t.Cleanup(func() {
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	var out bytes.Buffer
	report, err := Run(t.Context(), Options{
		Seeds: []string{"http://site.test/"}, Sitemaps: true, Depth: 20, Mode: m, Workers: 8, Timeout: time.Minute, Retries: 12,
		Resolve: map[string]netip.AddrPort{"site.test:80": netip.MustParseAddrPort(listener.Addr().String())},
		Output:  &out,
	})
	if err != nil || report.ItemsFailed > 0 {
		t.Errorf("%v: %+v", err, report)
	}
	return readRecords(t, out.Bytes())
}

package crawl

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
	"pace/limiter/exchange"
)

// crawlOverTLS crawls a world that answers on https://example.com too, and returns the lines of the outcome. On
// https://a.test and on down.test nobody answers.
func crawlOverTLS(t *testing.T, w *world, m limiter.Mode, seeds ...string) []string {
	secure := httptest.NewTLSServer(w.server.Config.Handler)
	defer secure.Close()
	down := closedPort()
	o := w.options(m, seeds...)
	o.Resolve["a.test:443"], o.Resolve["down.test:80"] = down, down
	o.Resolve["example.com:443"] = netip.MustParseAddrPort(secure.Listener.Addr().String())
	var out bytes.Buffer
	o.Output = &out
	c, items, err := newCrawler(o)
	if err != nil {
		t.Fatal(err)
	}
	c.client.Close()
	c.client = exchange.New(exchange.Options{
		Mode: m, Timeout: o.Timeout, Lookup: c.lookup, Control: c.control,
		TLS: secure.Client().Transport.(*http.Transport).TLSClientConfig,
	})
	report, err := c.run(t.Context(), items)
	if err != nil {
		t.Error(err)
	}
	lines := outcomeOf(readRecords(t, out.Bytes()), report).lines
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], down.String(), "ADDR")
	}
	return lines
}

// TestSeedsThatMove is about what a seed may lead to before its first page is there.
func TestSeedsThatMove(t *testing.T) {
	for _, c := range []struct {
		name  string
		pages map[string]http.HandlerFunc
		seed  string
		want  []string
	}{
		{
			name:  "no scheme, and https redirects to a host that is down",
			pages: map[string]http.HandlerFunc{"example.com/": redirect("http://down.test/x")},
			seed:  "example.com",
			want:  []string{"http://d.test/ 404", "https://example.com/ 0 -> http://down.test/x ! robots.txt cannot be reached: connect ADDR: connection refused"},
		},
		{
			name:  "no scheme, and a URL in the query",
			pages: map[string]http.HandlerFunc{"a.test/p": htmlPage("")},
			seed:  "a.test/p?next=http://b.test/",
			want:  []string{"http://a.test/p?next=http://b.test/ 200", "http://d.test/ 404"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, m limiter.Mode) {
				got := crawlOverTLS(t, newWorld(t, c.pages), m, c.seed, "http://d.test/")
				if d := cmp.Diff(c.want, got); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			})
		})
	}
}

func TestSecretsAreNotForHostsThatAreOnlyResolved(t *testing.T) {
	o := Options{
		Seeds: []string{"http://a.test/"}, Header: http.Header{"Authorization": {"secret"}},
		Resolve: map[string]netip.AddrPort{"b.test:80": closedPort()},
	}
	c, _, err := newCrawler(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.client.Close()
	for host, want := range map[string]string{"a.test": "secret", "b.test": ""} {
		if got := c.request(t.Context(), mustURL(t, "http://"+host+"/")).Header.Get("Authorization"); got != want {
			t.Errorf("%s is sent %q, want %q", host, got, want)
		}
	}
}

// TestHostileRobots crawls a page of a.test, which links to /no, after robots.txt came in some odd way.
func TestHostileRobots(t *testing.T) {
	const forbid = "User-agent: *\nDisallow: /no"
	fetched, refused := []string{"/ 200", "/no 404"}, []string{"/ 0"}
	skipped := []string{"/ 200"}
	hops := func(n int) map[string]http.HandlerFunc {
		pages := map[string]http.HandlerFunc{"a.test/robots.txt": redirect("http://b.test/hop-1")}
		for i := 1; i < n; i++ {
			pages[fmt.Sprintf("/hop-%d", i)] = redirect(fmt.Sprintf("http://%c.test/hop-%d", 'a'+i%4, i+1))
		}
		pages[fmt.Sprintf("/hop-%d", n)] = htmlPage(forbid)
		return pages
	}
	one := func(h http.HandlerFunc) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{"a.test/robots.txt": h}
	}
	for _, c := range []struct {
		name  string
		pages map[string]http.HandlerFunc
		want  []string
		once  http.HandlerFunc // what robots.txt answers the first time, if something else
	}{
		{"5 redirects over hosts", hops(5), skipped, nil},
		{"6 redirects", hops(6), fetched, nil},
		{"to itself", one(redirect("/robots.txt")), fetched, nil},
		{"to a private address", one(redirect("http://10.0.0.1/robots.txt")), refused, nil},
		{"to a file", one(located("file:///etc/passwd")), fetched, nil},
		{"to the page itself", one(redirect("/")), fetched, nil},
		{"10 MiB", one(htmlPage(forbid + "\n" + strings.Repeat("#", 10<<20))), skipped, nil},
		{"endless", one(endless(okHeader+"\r\n"+forbid+"\n", strings.Repeat("Disallow: /x\n", 1000), 0)), skipped, nil},
		{"an endless line", one(endless(okHeader+"\r\n"+forbid+"\n#", strings.Repeat("x", 1000), 0)), skipped, nil},
		{"a bomb", one(withHeader("Content-Encoding", "gzip", htmlPage(zipped(forbid+strings.Repeat("\n", 10<<20))))), skipped, nil},
		{"binary", one(htmlPage(string(bytes.Repeat([]byte{0, 0xff, 0x80, '\n'}, 10_000)))), fetched, nil},
		{"UTF-16", one(htmlPage("\xff\xfeU\x00s\x00e\x00r")), fetched, nil},
		{"503, then there", one(htmlPage(forbid)), skipped, status(503)},
		{"429, then there", one(htmlPage(forbid)), skipped, status(429)},
		{"lost, then there", one(htmlPage(forbid)), skipped, raw("")},
		{"cut short", one(raw(okHeader + "Content-Length: 100\r\n\r\nUser-agent: *")), refused, nil},
		{"silent", one(silent), refused, nil},
		{"no HTTP", one(raw("220 ftp ready\r\n")), refused, nil},
		{"999", one(raw("HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n")), refused, nil},
		{"304", one(status(304)), fetched, nil},
		{"no rights", one(status(403)), fetched, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inEachMode(t, func(t *testing.T, m limiter.Mode) {
				pages := maps.Clone(c.pages)
				pages["a.test/"] = links("/no")
				if c.once != nil {
					pages["a.test/robots.txt"] = first(c.once, pages["a.test/robots.txt"])
				}
				o := newWorld(t, pages).options(m, "http://a.test/", "http://d.test/")
				o.Retries, o.Timeout = 1, 500*time.Millisecond
				records, _, err := crawl(t, o)
				var got []string
				for _, r := range records[:len(records)-1] {
					got = append(got, fmt.Sprint(strings.TrimPrefix(r.URL, "http://a.test"), " ", r.Status))
				}
				if d := cmp.Diff(c.want, got); d != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, d)
				}
			})
		})
	}
}

// TestRefusedPagesWaitForNothing has a robots.txt that cannot be had for hours: pages that fail for it need no turn.
func TestRefusedPagesWaitForNothing(t *testing.T) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, map[string]http.HandlerFunc{"/robots.txt": withHeader("Retry-After", "3600", status(503))})
		o := w.options(m, "http://a.test/1", "http://a.test/2", "http://a.test/3")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		report, err := Run(ctx, o)
		if err != nil || report.ItemsFailed != 3 || report.LimiterWait > time.Second {
			t.Errorf("%d failed after a wait of %v: %v", report.ItemsFailed, report.LimiterWait, err)
		}
	})
}

func TestRobotsOfAnAgentWithoutAName(t *testing.T) {
	for _, token := range []string{"", "pace"} {
		r := parseRobots([]byte("User-agent: 2bot\nUser-agent:\nDisallow: /"), token)
		if !r.allows("/a") {
			t.Errorf("the rules for another agent hold for %q", token)
		}
	}
}

// TestRobotsCutInsideALine has a rule that would mean far more if only its beginning were read.
func TestRobotsCutInsideALine(t *testing.T) {
	const start, rule = "User-agent: *\n", "Disallow: /private"
	filler := strings.Repeat("#", maxRobots-len(start)-1-len("Disallow: /p")) + "\n"
	if r := parseRobots([]byte(start+filler+rule), "pace"); !r.allows("/public") {
		t.Error("half a rule is obeyed")
	}
}

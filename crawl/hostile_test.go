package crawl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"pace/limiter"
	"pace/limiter/exchange"
)

// raw answers with these bytes as they are, and hangs up.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	}
}

// endless answers with a beginning and then the same bytes until the client has gone, each time after a pause.
func endless(begin, more string, pause time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = conn.Close() }()
		for _, err = io.WriteString(conn, begin); err == nil; _, err = io.WriteString(conn, more) {
			time.Sleep(pause)
		}
	}
}

// silent takes the request and says nothing.
func silent(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
}

// first answers in one way once, and in another way from then on.
func first(once, then http.HandlerFunc) http.HandlerFunc {
	var asked atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) {
		if asked.Swap(true) {
			then(w, r)
		} else {
			once(w, r)
		}
	}
}

// located answers with a redirect, the Location as it is.
func located(location string) http.HandlerFunc {
	return raw("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + "\r\n\r\n")
}

// hostile is one page of a server that means no good, and its record's status and error.
type hostile struct {
	page   http.HandlerFunc
	status int
	err    string // what the error begins with; empty for a page that is fetched all the same
}

// okHeader begins an answer whose header may go on.
const okHeader = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"

func TestHostileAnswers(t *testing.T) {
	zip := zipped("hello hello hello hello hello hello")
	body := func(encoding, b string) string {
		return fmt.Sprintf("%sContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", okHeader, encoding, len(b), b)
	}
	answers := map[string]hostile{
		"/closes":        {raw(""), 0, "read ADDR: unexpected EOF"},
		"/half-status":   {raw("HTTP/1.1 20"), 0, "read ADDR: unexpected EOF"},
		"/half-header":   {raw(okHeader + "X-A: b"), 0, "read ADDR: unexpected EOF"},
		"/no-answer":     {silent, 0, "read ADDR: i/o timeout"},
		"/half-body":     {raw(okHeader + "Content-Length: 10\r\n\r\n12345"), 200, "read ADDR: unexpected EOF"},
		"/half-chunk":    {raw(okHeader + "Transfer-Encoding: chunked\r\n\r\n5\r\n123"), 200, "read ADDR: unexpected EOF"},
		"/no-last-chunk": {raw(okHeader + "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"), 200, "read ADDR: unexpected EOF"},
		"/bad-chunk":     {raw(okHeader + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 200, "read ADDR: invalid"},
		"/drip-header":   {endless(okHeader, "X", 20*time.Millisecond), 0, "read ADDR: i/o timeout"},
		"/drip-body":     {endless(okHeader+"Content-Length: 999\r\n\r\n", "x", 20*time.Millisecond), 200, "read ADDR: i/o timeout"},
		"/headers":       {endless(okHeader, strings.Repeat("X-A: b\r\n", 100), 0), 0, "read ADDR: the header of the answer is too large"},
		"/long-header":   {endless(okHeader+"X: ", strings.Repeat("x", 1000), 0), 0, "read ADDR: the header of the answer is too large"},
		"/interim":       {endless("", "HTTP/1.1 103 Early Hints\r\n\r\n", 0), 0, "read ADDR: too many interim answers"},
		"/000":           {raw("HTTP/1.1 000 Zero\r\n\r\n"), 0, "read ADDR: status code below 100"},
		"/999":           {raw("HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n"), 999, "999"},
		"/words":         {raw("HTTP/1.1 two hundred\r\n\r\n"), 0, "read ADDR: malformed"},
		"/ssh":           {raw("SSH-2.0-OpenSSH_9.2\r\n"), 0, "read ADDR: malformed"},
		"/upgrade":       {raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), 0, "read ADDR: "},
		"/two-lengths":   {raw(okHeader + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), 0, "read ADDR: "},
		"/minus-length":  {raw(okHeader + "Content-Length: -1\r\n\r\nxx"), 0, "read ADDR: "},
		"/huge-length":   {raw(okHeader + "Content-Length: 9223372036854775807\r\n\r\nxx"), 200, "the body has 9223372036854775807 bytes"},
		"/body":          {endless(okHeader+"\r\n", strings.Repeat("x", 1000), 0), 200, "the body has more than the 100000 bytes"},
		"/bomb":          {raw(body("gzip", zipped(strings.Repeat("x", 1<<20)))), 200, "the body has more than the 100000 bytes"},
		"/gzip-cut":      {raw(body("gzip", zip[:len(zip)-4])), 200, "decoding the body: unexpected EOF"},
		"/gzip-head":     {raw(body("gzip", zip[:6])), 200, "decoding the body: unexpected EOF"},
		"/gzip-trailing": {raw(body("gzip", zip+"garbage")), 200, "decoding the body: unexpected EOF"},
		"/gzip-broken":   {raw(body("gzip", zip[:10]+"\xff\xff\xff\xff"+zip[14:])), 200, "decoding the body: flate: corrupt input"},
		"/gzip-sum":      {raw(body("gzip", zip[:len(zip)-8]+"\x00\x00\x00\x00"+zip[len(zip)-4:])), 200, "decoding the body: gzip: invalid checksum"},
		"/gzip-not":      {raw(body("gzip", "hello hello hello")), 200, "decoding the body: gzip: invalid header"},
		"/gzip-empty":    {raw(body("gzip", "")), 200, ""},
		"/gzip-twice":    {raw(body("gzip, gzip", zip)), 200, "decoding the body: gzip: invalid header"},
		"/gzip-lines":    {raw(body("gzip\r\nContent-Encoding: gzip", zip)), 200, "decoding the body: gzip: invalid header"},
		"/gzip-upper":    {raw(body("GZip", zip)), 200, ""},
		"/deflate":       {raw(body("deflate", "x")), 200, "decoding the body: unexpected EOF"},
		"/codings":       {raw(body("gzip, gzip, gzip, gzip", zip)), 200, "the body has 4 content codings"},
		"/type":          {raw("HTTP/1.1 200 OK\r\nContent-Type: \xff;;=\"\r\nContent-Length: 1\r\n\r\nx"), 200, ""},
		"/nul":           {htmlPage(strings.Repeat("\x00<a href=\x00>", 100)), 200, ""},
	}
	runHostile(t, answers, func(o *Options) { o.MaxBody, o.Timeout, o.Depth = 100_000, time.Second, 1 })
}

func TestHostileRedirects(t *testing.T) {
	const private = "10.0.0.1 is the private address 10.0.0.1"
	long := strings.Repeat("x", 9<<10)
	answers := map[string]hostile{
		"/none":        {raw("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), 302, ""},
		"/empty":       {located(""), 302, ""},
		"/spaces":      {located("/a target with  spaces "), 404, ""},
		"/tabs":        {located("/a\ttarget"), 404, ""},
		"/controls":    {located("/a\x01\x7ftarget"), 0, "read ADDR: malformed"},
		"/bytes":       {located("/\xff\xfe"), 404, ""},
		"/ftp":         {located("ftp://a.test/"), 302, ""},
		"/javascript":  {located("javascript:alert(1)"), 302, ""},
		"/data":        {located("data:text/html,x"), 302, ""},
		"/file":        {located("file:///etc/passwd"), 302, ""},
		"/userinfo":    {located("http://user:pw@a.test/u"), 302, ""},
		"/no-host":     {located("http://"), 302, ""},
		"/port":        {located("http://a.test:99999/"), 302, ""},
		"/dots":        {located("../../../dots-end"), 404, ""},
		"/query":       {located("?q"), 302, ""},
		"/fragment":    {located("#x"), 302, ""},
		"/long":        {located("/" + long), 302, ""},
		"/trap":        {located("/a/a/a/a/a/a"), 302, ""},
		"/out":         {located("http://b.test/"), 302, ""},
		"/private":     {located("http://10.0.0.1/"), 302, private},
		"/private-hex": {located("http://0xa.1/"), 302, private},
		"/self":        {located("/self"), 302, ""},
		"/pair-1":      {located("/pair-2"), 302, ""},
		"/pair-2":      {located("/pair-1"), 302, ""},
		"/body":        {endless("HTTP/1.1 302 Found\r\nLocation: /body-end\r\n\r\n", strings.Repeat("x", 1000), 0), 404, ""},
	}
	runHostile(t, answers, func(o *Options) {
		o.MaxBody, o.Timeout, o.Depth = 100_000, time.Second, 1
	})
}

// runHostile crawls a page that links to hostile ones, each of which must come to the record that its case says.
func runHostile(t *testing.T, answers map[string]hostile, set func(*Options)) {
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		pages := map[string]http.HandlerFunc{}
		var hrefs []string
		for path, c := range answers {
			pages[path] = c.page
			hrefs = append(hrefs, path)
		}
		slices.Sort(hrefs)
		pages["/index"] = links(hrefs...)
		w := newWorld(t, pages)
		o := w.options(m, "http://a.test/index")
		o.PerHost = 8
		set(&o)
		records, report, err := crawl(t, o)
		if err != nil || len(records) != len(answers)+1 || report.Items != int64(len(records)) {
			t.Errorf("%d pages, %d records, %d items: %v", len(answers)+1, len(records), report.Items, err)
		}
		for _, r := range records {
			want, known := answers[strings.TrimPrefix(r.URL, "http://a.test")]
			got := strings.ReplaceAll(r.Error, w.server.Listener.Addr().String(), "ADDR")
			if known && (r.Status != want.status || !strings.HasPrefix(got, want.err) || want.err == "" && got != "") {
				t.Errorf("%s: status %d, error %q; want %d, %q", r.URL, r.Status, got, want.status, want.err)
			}
		}
	})
}

// TestBodyThatBreaksIsTriedAgain breaks the connection at each point of an encoded body.
func TestBodyThatBreaksIsTriedAgain(t *testing.T) {
	zip := zipped("hello")
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		pages := map[string]http.HandlerFunc{}
		var seeds []string
		for n := range len(zip) {
			var asked atomic.Int64
			path := fmt.Sprintf("/%d", n)
			seeds = append(seeds, "http://a.test"+path)
			pages[path] = func(w http.ResponseWriter, r *http.Request) {
				end := len(zip)
				if asked.Add(1) == 1 {
					end = n
				}
				raw(fmt.Sprintf("%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", okHeader, len(zip), zip[:end]))(w, r)
			}
		}
		o := newWorld(t, pages).options(m, seeds...)
		o.Retries, o.PerHost, o.Workers, o.IgnoreRobots = 1, 0, 64, true
		if m == limiter.Sequential {
			o.Seeds = seeds[:3]
		}
		records, report, err := crawl(t, o)
		if err != nil || report.ItemsFailed > 0 {
			t.Errorf("%d failed: %v", report.ItemsFailed, err)
		}
		for _, r := range records {
			if r.Bytes != int64(len("hello")) {
				t.Errorf("%s: %d bytes, %s", r.URL, r.Bytes, r.Error)
			}
		}
	})
}

// readRecords returns the records of an output, sorted by their URL.
func readRecords(t *testing.T, output []byte) []record {
	var records []record
	for line := range bytes.Lines(output) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Errorf("%v in %q", err, line)
		}
		records = append(records, r)
	}
	slices.SortFunc(records, func(a, b record) int { return strings.Compare(a.URL, b.URL) })
	return records
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "1.5": 0, "soon": 0, "7, 8": 0, "\xff": 0,
		"86401": exchange.MaxAsked, "9223372036854775807": exchange.MaxAsked, "99999999999999999999999999": exchange.MaxAsked,
		"Thu, 01 Jan 2026 00:00:09 GMT":    9 * time.Second,
		"Thu, 01 Jan 1970 00:00:00 GMT":    0,
		"Fri, 31 Dec 9999 23:59:59 GMT":    exchange.MaxAsked,
		"Thursday, 01-Jan-26 00:01:00 GMT": time.Minute,
		"Fri, 32 Dec 2026 00:00:00 GMT":    0,
	} {
		if got := exchange.RetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// TestMemoryIsBounded crawls bodies without an end, headers without an end and bombs, many at once.
func TestMemoryIsBounded(t *testing.T) {
	// What is garbage already counts too. One bomb alone holds 64 MiB.
	const body, most = 1 << 20, 64 << 20
	bomb := zipped(strings.Repeat("x", 64<<20))
	kinds := []http.HandlerFunc{
		endless(okHeader+"\r\n", strings.Repeat("x", 32<<10), 0),
		endless(okHeader, strings.Repeat("X: y\r\n", 1000), 0),
		endless(okHeader+"Transfer-Encoding: chunked\r\n\r\n", "8000\r\n"+strings.Repeat("x", 32<<10)+"\r\n", 0),
		endless(okHeader+"Transfer-Encoding: chunked\r\n\r\n1;", strings.Repeat("x", 32<<10), 0),
		endless("", "HTTP/1.1 100 Continue\r\n\r\n", 0),
		withHeader("Content-Encoding", "gzip", htmlPage(bomb)),
		raw(okHeader + "Content-Length: 4194304\r\n\r\n"),
	}
	pages := map[string]http.HandlerFunc{"/robots.txt": kinds[0]}
	var seeds []string
	for i := range 8 * len(kinds) {
		pages[fmt.Sprintf("/%d", i)] = kinds[i%len(kinds)]
		seeds = append(seeds, fmt.Sprintf("http://%c.test/%d", 'a'+i%4, i))
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		o := newWorld(t, pages).options(m, seeds...)
		o.MaxBody, o.PerHost = body, 0
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		stop, stopped := make(chan struct{}), make(chan uint64)
		go func() {
			var peak uint64
			for {
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapAlloc)
				select {
				case <-stop:
					stopped <- peak
					return
				case <-time.After(time.Millisecond):
				}
			}
		}()
		_, report, err := crawl(t, o)
		close(stop)
		peak := <-stopped
		if err != nil || report.ItemsFailed != int64(len(seeds)) {
			t.Errorf("%d of %d failed: %v", report.ItemsFailed, len(seeds), err)
		}
		if grown := int64(peak) - int64(before.HeapAlloc); grown > most {
			t.Errorf("the heap grew by %d MiB", grown>>20)
		}
	})
}

// TestRecordsAreLines has everything that could break a line of JSON or a terminal.
func TestRecordsAreLines(t *testing.T) {
	odd := "\x1b]0;x\a \u2028\u2029\u0085\u009b31m \x00 \xff\xfe \" \\ <\r\n\t>"
	page := "<title>" + odd + "</title><a href='/" + odd + "'>x</a><p>" + odd
	pages := map[string]http.HandlerFunc{"/": htmlPage(page)}
	for _, charset := range []string{"utf-8", "latin1", "utf-16le", "shift_jis", "iso-2022-jp", "x-user-defined", "nonsense", "\xff"} {
		pages[fmt.Sprintf("/%x", charset)] = withHeader("X", odd, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset="+charset)
			_, _ = io.WriteString(w, page)
		})
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		w := newWorld(t, pages)
		o := w.options(m, "http://a.test/", "http://a.test/a b\tc\nd\"e\x1b", "no such\x1b]0;\xff scheme")
		for path := range pages {
			o.Seeds = append(o.Seeds, "http://b.test"+path)
		}
		selector, err := ParseSelector("p=p")
		if err != nil {
			t.Fatal(err)
		}
		o.Select = []Selector{selector}
		var out bytes.Buffer
		o.Output, o.Depth = &out, 0
		report, err := Run(t.Context(), o)
		if err != nil || int64(bytes.Count(out.Bytes(), []byte("\n"))) != report.Items {
			t.Errorf("%d lines, %d items: %v", bytes.Count(out.Bytes(), []byte("\n")), report.Items, err)
		}
		readRecords(t, out.Bytes())
		if i := bytes.IndexFunc(out.Bytes(), func(r rune) bool { return r < ' ' && r != '\n' }); i >= 0 || !utf8.Valid(out.Bytes()) {
			t.Errorf("a control character at %d, or no UTF-8", i)
		}
	})
}

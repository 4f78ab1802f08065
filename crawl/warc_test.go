package crawl

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

func gzipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.Bytes()
}

// rawAnswer sends bytes of one's own and closes the connection.
func rawAnswer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = conn.Write([]byte(text))
		_ = conn.Close()
	}
}

func TestWARC(t *testing.T) {
	const odd = "HTTP/1.1 200 Fine\r\ncontent-TYPE:text/plain\r\nX-Odd:  two  \r\nContent-Length: 3\r\n\r\nodd"
	zipped := gzipped(`<a href="/chunked">x</a>`)
	pages := map[string]http.HandlerFunc{
		"/":      links("/same1", "/same2", "/same3", "/moved", "/gone", "/zip", "/odd", "/empty1", "/empty2", "/long", "/cut", "/dead"),
		"/same1": htmlPage("the same"), "/same2": htmlPage("the same"), "/same3": htmlPage("the same"),
		"/moved": redirect("/target"), "/target": htmlPage("here"),
		"/zip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped)
		},
		"/chunked": rawAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
		"/odd":     rawAnswer(odd),
		"/empty1":  htmlPage(""), "/empty2": htmlPage(""),
		"/long":       htmlPage(strings.Repeat("x", 3000)),
		"/cut":        rawAnswer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
		"/dead":       hangUp(100, htmlPage("")),
		"/robots.txt": htmlPage("user-agent: *\n"),
	}
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		prefix := filepath.Join(t.TempDir(), "w")
		o := newWorld(t, pages).options(m, "http://a.test/")
		o.WARC, o.MaxBody, o.Retries = prefix, 2000, 0
		if _, _, err := crawl(t, o); err != nil {
			t.Fatal(err)
		}
		records := readArchive(t, prefix)
		want := []string{"warcinfo "}
		for _, path := range []string{"robots.txt", "", "same1", "same2", "same3", "moved", "target", "gone", "zip", "chunked", "odd",
			"empty1", "empty2", "long", "cut"} {
			url := "http://a.test/" + path
			response := "response " + url
			switch path {
			case "long":
				response += " truncated length"
			case "cut":
				response += " truncated disconnect"
			}
			want = append(want, response, "request "+url, "metadata "+url)
		}
		got := archived(records)
		for i, line := range got { // which of the three comes first is open
			if url, ok := strings.CutPrefix(line, "revisit "); ok {
				got[i] = "response " + url
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("records (-want +got):\n%s", d)
		}
		checkRevisits(t, records)
		blocks := map[string]string{}
		for _, r := range records {
			blocks[r.fields["WARC-Type"]+" "+strings.TrimPrefix(r.fields["WARC-Target-URI"], "http://a.test")] = string(r.block)
		}
		if blocks["response /odd"] != odd {
			t.Errorf("%q is not what came over the wire", blocks["response /odd"])
		}
		if got, want := blocks["response /chunked"],
			"HTTP/1.1 200 OK\r\nX-Orig-Transfer-Encoding: chunked\r\nX: y\r\n\r\nabcde"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if !strings.HasSuffix(blocks["response /zip"], "\r\n\r\n"+string(zipped)) {
			t.Error("the encoded body is not as it came")
		}
		if got := blocks["request /zip"]; !strings.HasPrefix(got, "GET /zip HTTP/1.1\r\nHost: a.test\r\n") || !strings.HasSuffix(got, "\r\n\r\n") {
			t.Errorf("the request is %q", got)
		}
		if got := blocks["metadata /chunked"]; !strings.HasPrefix(got, "via: http://a.test/zip\r\nhopsFromSeed: LL\r\nfetchTimeMs: ") {
			t.Errorf("the metadata is %q", got)
		}
	})
}

// checkRevisits wants that each payload is there once, and that a revisit refers to the record that has it.
func checkRevisits(t *testing.T, records []warcRecord) {
	t.Helper()
	have := map[string]warcRecord{}
	revisits := 0
	for _, r := range records {
		digest := r.fields["WARC-Payload-Digest"]
		switch r.fields["WARC-Type"] {
		case "response":
			if _, payload, _ := bytes.Cut(r.block, []byte("\r\n\r\n")); len(payload) > 0 {
				if _, again := have[digest]; again {
					t.Errorf("%s has its payload again", r.fields["WARC-Target-URI"])
				}
				have[digest] = r
			}
		case "revisit":
			revisits++
			first := have[digest].fields
			if r.fields["WARC-Refers-To-Target-URI"] != first["WARC-Target-URI"] || r.fields["WARC-Refers-To-Date"] != first["WARC-Date"] ||
				first == nil || r.fields["WARC-Profile"] != "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest" {
				t.Errorf("the revisit %v refers to %v", r.fields, first)
			}
			if !bytes.HasSuffix(r.block, []byte("\r\n\r\n")) {
				t.Errorf("the revisit's block is %q", r.block)
			}
		}
	}
	if revisits != 2 {
		t.Errorf("%d revisits, want 2", revisits)
	}
}

func TestWARCRotates(t *testing.T) {
	pages := map[string]http.HandlerFunc{}
	var all []string
	for i := range 40 {
		path := fmt.Sprint("/", i)
		all = append(all, path)
		pages[path] = htmlPage(fmt.Sprint("page ", i))
	}
	pages["/"] = links(all...)
	inEachMode(t, func(t *testing.T, m limiter.Mode) {
		prefix := filepath.Join(t.TempDir(), "w")
		o := newWorld(t, pages).options(m, "http://a.test/")
		o.WARC, o.WARCSize = prefix, 4000
		if _, _, err := crawl(t, o); err != nil {
			t.Fatal(err)
		}
		records := readArchive(t, prefix)
		sizes := map[string]int64{}
		for _, r := range records {
			sizes[r.file] = max(sizes[r.file], r.offset+r.size)
		}
		if len(sizes) < 5 || len(records) != len(sizes)+42*3 {
			t.Errorf("%d files, %d records", len(sizes), len(records))
		}
		for file, size := range sizes {
			if size > 4000+3000 {
				t.Errorf("%s has %d bytes", file, size)
			}
		}
		// What is archived cannot be had again.
		if _, _, err := crawl(t, o); err == nil || !strings.Contains(err.Error(), "is there already") {
			t.Errorf("a second run on the same files: %v", err)
		}
	})
}

// TestWARCResume cuts an archive back to marks, behind which more was written and a write was torn.
func TestWARCResume(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "w")
	o := Options{WARC: prefix, WARCSize: 3000}
	out, err := openWARC(&o, nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(from, to int) {
		for i := from; i < to; i++ {
			write, err := out.render(archivable(t, fmt.Sprint("http://a.test/", i), fmt.Sprint("page ", i%7)))
			if err == nil {
				err = write()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	write(0, 20)
	marks := out.marks()
	write(20, 40)
	if err := out.close(false); err != nil {
		t.Fatal(err)
	}
	later := fmt.Sprintf("%s-%05d.warc.gz", prefix, len(marks)-1)
	if _, err := os.Stat(later); err != nil {
		t.Fatal("the test writes too little:", err)
	}
	last, err := os.OpenFile(marks[len(marks)-2].Path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = last.WriteString("torn")
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = last.Close()

	if out, err = openWARC(&o, marks); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(marks, out.marks()); d != "" {
		t.Errorf("marks (-want +got):\n%s", d)
	}
	if _, err := os.Stat(later); err == nil {
		t.Error("a file begun after the marks is still there")
	}
	write(20, 30)
	if err := out.close(true); err != nil {
		t.Fatal(err)
	}
	responses, revisits := 0, 0
	for _, r := range readArchive(t, prefix) {
		switch r.fields["WARC-Type"] {
		case "response":
			responses++
		case "revisit":
			revisits++
		}
	}
	if responses != 7 || revisits != 23 {
		t.Errorf("%d responses, %d revisits; want each of 7 payloads once", responses, revisits)
	}

	// What is shorter than its mark has lost something.
	for _, i := range []int{0, len(marks) - 2, len(marks) - 1} { // a full file, the last one, the index
		whole, err := os.ReadFile(marks[i].Path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(marks[i].Path, marks[i].Size-1); err != nil {
			t.Fatal(err)
		}
		if _, err := openWARC(&o, marks); err == nil {
			t.Errorf("%s has lost its end, and is written on", marks[i].Path)
		}
		if err := os.WriteFile(marks[i].Path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// archivable is an exchange that never was.
func archivable(t *testing.T, url, body string) *closing {
	u := mustURL(t, url)
	w := &wire{whole: true, body: bytes.NewBufferString(body)}
	w.Request = []byte("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	w.Response = []byte("HTTP/1.1 200 OK\r\n\r\n")
	return &closing{
		item: &item{url: u, first: url}, record: &record{URL: url},
		response: &response{status: 200, wire: w, body: []byte(body)},
	}
}

// FuzzWARCHeader wants a readable record of every answer that the exchange takes.
func FuzzWARCHeader(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HTTP/1.0 404\nX:\n \n\t\r\nY: z\n\n", "HTTP/1.1 200 \r\nA: b\r\n c\r\n\r\n",
		"HTTP/1.1 200 OK\r\ntransfer-encoding : chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: \"\xff\x00\r\n\r\n",
	} {
		f.Add([]byte(seed), []byte("body"))
	}
	f.Fuzz(func(t *testing.T, header, body []byte) {
		r := bufio.NewReader(bytes.NewReader(header))
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode < 200 {
			return
		}
		p := archivable(t, "http://a.test/", string(body))
		p.response.status, p.response.contentType = resp.StatusCode, resp.Header.Get("Content-Type")
		p.response.wire.Response = header[:len(header)-r.Buffered()]
		w := &warc{seen: payloads{}}
		records, err := w.records(p)
		if err != nil {
			t.Fatalf("%q: %v", p.response.wire.Response, err)
		}
		revisit, err := w.revisitRecord(records, original{"http://a.test/", "2026-01-02T03:04:05Z"})
		if err != nil {
			t.Fatal(err)
		}
		line := records.cdxj("w", 0, len(records.response), false)
		if _, _, err := parseCDXJ(line); err != nil || bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("%v: %q", err, line)
		}
		path := filepath.Join(t.TempDir(), "w.gz")
		if err := os.WriteFile(path, slices.Concat(records.response, records.others, revisit), 0o600); err != nil {
			t.Fatal(err)
		}
		if n := readStrictly(t, path); n != 4 {
			t.Fatalf("%d records", n)
		}
		all := readWARC(t, path)
		if _, payload, _ := bytes.Cut(all[0].block, records.header); !bytes.Equal(payload, body) {
			t.Fatalf("the payload %q became %q", body, payload)
		}
	})
}

package crawl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSURT(t *testing.T) {
	for url, want := range map[string]string{
		"http://www.Example.org/":             "org,example)/",
		"http://www2.example.org/":            "org,example)/",
		"http://wwwx.example.org/":            "org,example,wwwx)/",
		"https://a.b.example.org:8443/A/b/?":  "org,example,b,a:8443)/a/b",
		"http://example.org/x?b=2&a=1&B=0":    "org,example)/x?a=1&b=0&b=2",
		"http://127.0.0.1:8080/x":             "127.0.0.1:8080)/x",
		"http://[::1]:8080/x":                 "::1:8080)/x",
		"http://localhost/":                   "localhost)/",
		"http://www/":                         "www)/",
		"http://example.org/?q=http://x.y/z/": "org,example)/?q=http://x.y/z/",
	} {
		if got := surt(mustURL(t, url)); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

func TestSortLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	var lines []string
	for i := range 5000 {
		lines = append(lines, fmt.Sprintf("%d %s\n", i*7919%5000, strings.Repeat("x", i%50)))
	}
	for _, block := range []int{1 << 20, 1000, 1} {
		if block == 1 {
			lines = lines[:50]
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := sortLinesIn(path, block); err != nil {
			t.Fatal(err)
		}
		want := slices.Sorted(slices.Values(lines))
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for r := bufio.NewScanner(f); r.Scan(); {
			got = append(got, r.Text()+"\n")
		}
		_ = f.Close()
		if !slices.Equal(got, want) {
			t.Errorf("block %d: not sorted", block)
		}
		if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
			t.Errorf("the mode is %v", info.Mode())
		}
	}
}

// checkIndex wants one line for each response and revisit that leads to it.
func checkIndex(t *testing.T, path string, records []warcRecord) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if !slices.IsSorted(lines) {
		t.Error("the index is not sorted")
	}
	at := map[string]warcRecord{}
	for _, r := range records {
		if kind := r.fields["WARC-Type"]; kind == "response" || kind == "revisit" {
			at[fmt.Sprint(r.file, " ", r.offset, " ", r.size)] = r
		}
	}
	if len(lines) != len(at) {
		t.Errorf("%d lines for %d responses", len(lines), len(at))
	}
	for _, line := range lines {
		part := strings.SplitN(line, " ", 3)
		var l struct{ URL, MIME, Status, Digest, Length, Offset, Filename string }
		if err := json.Unmarshal([]byte(part[2]), &l); err != nil {
			t.Fatal(err)
		}
		r, ok := at[l.Filename+" "+l.Offset+" "+l.Length]
		if !ok || r.fields["WARC-Target-URI"] != l.URL || r.fields["WARC-Payload-Digest"] != l.Digest ||
			(l.MIME == "warc/revisit") != (r.fields["WARC-Type"] == "revisit") ||
			part[1] != strings.NewReplacer("-", "", "T", "", ":", "", "Z", "").Replace(r.fields["WARC-Date"]) {
			t.Errorf("%s leads to %v", line, r.fields)
		}
		if status := strings.Fields(string(r.block))[1]; status != l.Status {
			t.Errorf("%s: the status is %s", line, status)
		}
	}
}

package nginxtest

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func get(t *testing.T, url string) (int, []byte) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

func TestServesDocsAndLogs(t *testing.T) {
	docs := Docs(t)
	s := Start(t, Config{Root: docs})
	before := time.Now().Add(-10 * time.Millisecond)
	want, err := os.ReadFile(filepath.Join(docs, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	if status, b := get(t, s.URL+"/"); status != http.StatusOK || !bytes.Equal(b, want) {
		t.Errorf("/ has status %d and %d bytes, want %d", status, len(b), len(want))
	}
	if status, _ := get(t, s.URL+"/none.html?a=b"); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
	log := s.Log(t)
	for deadline := time.Now().Add(5 * time.Second); len(log) < 2 && time.Now().Before(deadline); log = s.Log(t) {
		time.Sleep(time.Millisecond)
	}
	if len(log) != 2 {
		t.Fatalf("%d lines: %+v", len(log), log)
	}
	first, second := log[0], log[1]
	if first.URI != "/" || first.Status != 200 || first.Method != "GET" || first.Host != "127.0.0.1" {
		t.Errorf("first line: %+v", first)
	}
	if second.URI != "/none.html?a=b" || second.Status != 404 {
		t.Errorf("second line: %+v", second)
	}
	if first.Start.Before(before) || first.End.Before(first.Start) || time.Since(first.End) > time.Minute {
		t.Errorf("from %v to %v, now %v", first.Start, first.End, time.Now())
	}
}

func TestLocationDirectives(t *testing.T) {
	s := Start(t, Config{Location: "return 503;"})
	if status, _ := get(t, s.URL+"/any"); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
}

func TestParseLine(t *testing.T) {
	r, err := parseLine("1700000000.250 0.050 200 a.test GET /a?b=c d")
	if err != nil {
		t.Fatal(err)
	}
	if r.End.UnixMilli() != 1700000000250 || r.Start.UnixMilli() != 1700000000200 || r.URI != "/a?b=c d" {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{"", "1 2 3 4 5", "x 0.1 200 h GET /", "1.0 x 200 h GET /", "1.0 0.1 x h GET /"} {
		if _, err := parseLine(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

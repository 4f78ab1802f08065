package crawl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLastLineEnd(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for _, c := range []struct {
		text string
		want int64
	}{
		{"", 0}, {"a", 0}, {"\n", 1}, {"a\n", 2}, {"a\nb", 2}, {"a\nb\n", 4}, {long, 0},
		{"a\n" + long, 2}, {long + "\n" + long, 200<<10 + 1},
	} {
		got, err := lastLineEnd(strings.NewReader(c.text), int64(len(c.text)))
		if err != nil || got != c.want {
			t.Errorf("%.5q… of %d bytes: %d, %v; want %d", c.text, len(c.text), got, err, c.want)
		}
	}
}

// What a worker of a fleet finds of its outputs is gone on with, but for what a crash has cut off.
func TestContinuedOutputs(t *testing.T) {
	digest := strings.Repeat("A", 32)
	index := `test,a)/ 20060102150405 {"digest":"sha1:` + digest + `"}` + "\n"
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for name, text := range map[string]string{
		"records": "{}\n{}\n{\"ur", "graph": "a,b\r\n", "archive-00000.warc.gz": "first", "archive-00001.warc.gz": "second",
		"archive.cdxj": index + "half", "mirror/.pace-mirror/index.jsonl": "{}\n", "mirror/.pace-mirror/bodies": "bodies",
	} {
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := &Options{OutputFile: at("records"), Graph: at("graph"), WARC: at("archive"), Mirror: at("mirror"), CheckLinks: true}
	text, locks, err := o.continued()
	if err != nil {
		t.Fatal(err)
	}
	defer locks.release()
	var got map[string][]mark
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string][]mark{
		"records": {{at("records"), 6}},
		"graph":   {{at("graph"), 5}},
		"warc": {
			{at("archive-00000.warc.gz"), 5}, {at("archive-00001.warc.gz"), 6}, {at("archive-00002.warc.gz"), 0},
			{at("archive.cdxj"), int64(len(index))},
		},
		"mirror": {{at("mirror/.pace-mirror/index.jsonl"), 3}, {at("mirror/.pace-mirror/bodies"), 6}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	outs, err := openOutputs(o, text)
	if err != nil {
		t.Fatal(err)
	}
	if err := outs.close(false); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(at("records")); err != nil || string(text) != "{}\n{}\n" {
		t.Errorf("the records are %q, %v", text, err)
	}
	if text, err := os.ReadFile(at("archive-00001.warc.gz")); err != nil || string(text) != "second" {
		t.Errorf("the archive is %q, %v", text, err)
	}
}

// Outputs that are not there begin, and a device is no file that could be gone on with.
func TestContinuedNothing(t *testing.T) {
	dir := t.TempDir()
	o := &Options{OutputFile: os.DevNull, WARC: filepath.Join(dir, "archive"), Mirror: filepath.Join(dir, "mirror")}
	for range 2 { // no lock of a device
		text, locks, err := o.continued()
		if err != nil {
			t.Fatal(err)
		}
		locks.release()
		if want := `{"mirror":null,"records":null,"warc":null}`; string(text) != want {
			t.Errorf("marks %s, want %s", text, want)
		}
	}
}

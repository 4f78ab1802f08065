package crawl

import (
	"encoding/csv"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A worker that was killed and is started again as it was continues its files: what they hold is done, and nobody fetches
// it again.
func TestFleetWorkerThatStartsAgain(t *testing.T) {
	t.Parallel()
	r := newFleetRun(t, fleetSize{hosts: 4, pages: 30, gap: 20 * time.Millisecond})
	dir := t.TempDir()
	r.dirs = append(r.dirs, dir)
	records, graph, mirror := filepath.Join(dir, "pages.jsonl"), filepath.Join(dir, "graph.csv"), filepath.Join(dir, "mirror")
	outputs := map[string]any{"Graph": graph, "Mirror": mirror}
	for _, pages := range []int{20, 50} {
		c := r.start(dir, outputs)
		r.until(pages)
		c.kill()
		c.wait(t)
		f, err := os.OpenFile(records, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(`{"url":"half a rec`)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	if !r.start(dir, outputs).wait(t) {
		t.Fatal("the last process did not end")
	}
	r.check(2)
	text, err := os.ReadFile(records)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("record %q", line)
		}
	}
	if text, err = os.ReadFile(graph); err != nil {
		t.Fatal(err)
	}
	edges := map[string]bool{}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	for _, row := range rows[1:] {
		edges[row[0]+" "+row[1]] = true
	}
	if err != nil || len(edges) != r.hosts*(r.pages-1) {
		t.Errorf("%d edges, %v", len(edges), err)
	}
	files := 0
	err = filepath.WalkDir(mirror, func(path string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".html") {
			files++
		}
		return err
	})
	if err != nil || files != r.hosts*r.pages+1 { // with one that leads to all hosts
		t.Errorf("%d files in the mirror, %v", files, err)
	}
}

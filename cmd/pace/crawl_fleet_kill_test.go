//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pace/crawl/site"
	"pace/limiter/redistest"
)

// A worker that is killed and started again with the same command has each page that it had done in its files still: the
// job gives none of them out again.
func TestKilledWorkerKeepsItsPages(t *testing.T) {
	const pages = 400
	redis := redistest.Start(t, "--appendonly", "yes")
	s := httptest.NewServer(site.New(site.Options{Pages: pages, Links: 4, Latency: 2 * time.Millisecond}).Handler())
	t.Cleanup(s.Close)
	dir := t.TempDir()
	records, graph := filepath.Join(dir, "records.jsonl"), filepath.Join(dir, "graph.csv")
	command := []string{
		"crawl", "--fleet", redis.URL, "--job", "killed", "--fleet-lease", "1s", "--rate", "0", "--depth", fmt.Sprint(pages),
		"--workers", "4", "--progress", "never", "--output", records, "--graph", graph, "--warc", filepath.Join(dir, "archive"), s.URL + "/",
	}
	for life := 0; ; life++ {
		cmd := paceCommand(t, command...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		before := sizeOfFile(records)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if life < 5 {
			for start := time.Now(); sizeOfFile(records) < before+5_000 && time.Since(start) < 20*time.Second; {
				time.Sleep(time.Millisecond)
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			continue
		}
		if code := exitCodeOf(t, cmd.Wait()); code != 0 {
			t.Fatalf("exit %d: %s", code, errs.String())
		}
		break
	}
	seen := map[string]int{}
	twice := 0
	for text := json.NewDecoder(bytes.NewReader(readAll(t, records))); ; {
		var r struct {
			URL   string `json:"url"`
			Error string `json:"error"`
		}
		if err := text.Decode(&r); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if seen[r.URL]++; seen[r.URL] > 1 {
			twice++
		}
	}
	if len(seen) != pages {
		t.Errorf("%d of %d pages have a record", len(seen), pages)
	}
	if most := 5 * 4; twice > most {
		t.Errorf("%d pages have more than one record, and at most %d were in flight at the kills", twice, most)
	}
	sources := map[string]bool{}
	for line := range strings.Lines(string(readAll(t, graph))) {
		source, _, _ := strings.Cut(line, ",")
		sources[source] = true
	}
	if len(sources) != pages+1 { // the header
		t.Errorf("%d of %d pages have links in the graph", len(sources)-1, pages)
	}
	archives, err := filepath.Glob(filepath.Join(dir, "archive-*.warc.gz"))
	if err != nil || len(archives) != 6 {
		t.Errorf("archives %q, %v: want one of each life", archives, err)
	}
}

// Two workers cannot write over one another.
func TestWorkersNeedTheirOwnOutputs(t *testing.T) {
	redis := redistest.Start(t)
	s := httptest.NewServer(site.New(site.Options{Pages: 40, Links: 4}).Handler())
	t.Cleanup(s.Close)
	records := filepath.Join(t.TempDir(), "records.jsonl")
	command := []string{"crawl", "--fleet", redis.URL, "--job", "same", "--rate", "5", "--output", records, s.URL + "/"}
	first := paceCommand(t, command...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = first.Process.Kill()
		_ = first.Wait()
	}()
	if err := appears(records); err != nil {
		t.Fatal(err)
	}
	second := paceCommand(t, command...)
	var errs bytes.Buffer
	second.Stderr = &errs
	if code := exitCodeOf(t, second.Run()); code != exitStopped ||
		!strings.Contains(errs.String(), "records.jsonl is written by another process: each worker of a fleet needs its own") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

func sizeOfFile(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

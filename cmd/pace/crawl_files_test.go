package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseSeeds(t *testing.T) {
	const text = "\ufeffhttp://a/\r\n\r\n# a comment\r\n  http://b/#fragment \n\n#http://c/\nhttp://d/"
	seeds, err := parseSeeds(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"http://a/", "http://b/#fragment", "http://d/"}, seeds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := parseSeeds(strings.NewReader(strings.Repeat("x", 2<<20))); err == nil {
		t.Error("a line of 2 MiB is a URL")
	}
}

func TestRecordsAreSeenSoonAndWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writes []string
		stdout := writerFunc(func(p []byte) (int, error) {
			writes = append(writes, string(p))
			return len(p), nil
		})
		w, err := openRecords("-", newScreen(io.Discard), stdout)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "first\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(flushEvery + time.Millisecond)
		synctest.Wait()
		if len(writes) != 1 || writes[0] != "first\n" {
			t.Errorf("after %v: %q", flushEvery, writes)
		}
		record := strings.Repeat("x", 30<<10) + "\n"
		for range 3 { // more than the buffer holds
			if _, err := io.WriteString(w, record); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, p := range writes {
			if !strings.HasSuffix(p, "\n") {
				t.Errorf("a record is cut after %d bytes", len(p))
			}
		}
		if got := len(strings.Join(writes, "")); got != len("first\n")+3*len(record) {
			t.Errorf("%d bytes are written", got)
		}
	})
}

func TestRecordsToAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	w, err := openRecords("/dev/full", newScreen(io.Discard), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "record\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("closed with %v", err)
	}
}

func TestBarKeepsClearOfRecordsOnATerminal(t *testing.T) {
	var raw bytes.Buffer
	s := &screen{w: &raw, width: func() int { return 40 }}
	s.draw("bar")
	if _, err := s.writeTo(&raw, []byte("record\n")); err != nil {
		t.Fatal(err)
	}
	s.erase()
	if got := strings.Join(shown(raw.String()), "|"); got != "record" {
		t.Errorf("the terminal shows %q", got)
	}
}

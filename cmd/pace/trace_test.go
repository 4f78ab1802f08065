package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
	"pace/limiter/progress"
)

// A trace is written in pieces, of which no line is lost.
func TestLongTraceReadsBack(t *testing.T) {
	const operations = 5000
	c := progress.New()
	trace := c.Trace(operations)
	for i := range operations {
		c.Begin().EndAs(t.Context(), progress.Did{Kind: "fetch", Item: "http://a.test/", Bytes: int64(i)})
	}
	var text bytes.Buffer
	if err := traceTo(&text, trace, report{Tool: "crawl"}); err != nil {
		t.Fatal(err)
	}
	if text.Len() < 3*tracePiece {
		t.Fatalf("only %d bytes", text.Len())
	}
	got, err := parseTrace(&text, operations)
	if err != nil || len(got.operations) != operations {
		t.Fatalf("%d operations: %v", len(got.operations), err)
	}
	seen := map[int64]bool{}
	for _, o := range got.operations {
		seen[o.Bytes] = true
	}
	if len(seen) != operations {
		t.Errorf("%d different operations", len(seen))
	}
}

func TestTraceReadsBack(t *testing.T) {
	c := progress.New()
	trace := c.Trace(2)
	for _, did := range []progress.Did{
		{Kind: "fetch", Item: "http://a.test/\"<script>\n\u2028\xff", Bytes: 1 << 40, Err: errors.New(`a "bad" one`)},
		{Kind: "chunk", Item: "f", Offset: 1 << 33, Bytes: 7},
		{Kind: "chunk", Item: "left out"},
	} {
		c.Begin().EndAs(t.Context(), did)
	}
	var file bytes.Buffer
	if err := traceTo(&file, trace, report{Tool: "copy", Mode: limiter.Threads, Backend: "b", Workers: 3}); err != nil {
		t.Fatal(err)
	}
	text := file.String()
	got, err := parseTrace(strings.NewReader(text), 10)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	want := traceHeader{
		Version: version(), Tool: "copy", Mode: limiter.Threads, Backend: "b", Workers: 3,
		Started: trace.Zero().Format(time.RFC3339Nano), Operations: 3, LeftOut: 1,
	}
	if d := cmp.Diff(want, got.traceHeader); d != "" {
		t.Errorf("header (-want +got):\n%s", d)
	}
	if few, err := parseTrace(strings.NewReader(text), 1); err != nil || len(few.operations) != 1 || len(few.took) != 2 {
		t.Errorf("%d operations and %d times, of 1 and 2: %v", len(few.operations), len(few.took), err)
	}
	for i, o := range got.operations {
		r := trace.Records()[i]
		if o.Start != r.Start.Truncate(time.Microsecond).Seconds() || o.End != r.End.Truncate(time.Microsecond).Seconds() {
			t.Errorf("from %v to %v, want %v to %v", o.Start, o.End, r.Start, r.End)
		}
		got.operations[i].Start, got.operations[i].End = 0, 0
	}
	wantOps := []tracedOperation{
		{Kind: "fetch", Item: "http://a.test/\"<script>\n\u2028\ufffd", Bytes: 1 << 40, Error: `a "bad" one`},
		{Kind: "chunk", Item: "f", Offset: 1 << 33, Bytes: 7},
	}
	if d := cmp.Diff(wantOps, got.operations); d != "" {
		t.Errorf("operations (-want +got):\n%s", d)
	}
	if n := len(got.series.InFlight); n == 0 || n != len(got.series.Bytes) || n != len(got.series.Operations) {
		t.Errorf("series %+v", got.series)
	}
	for _, cut := range []int{0, 1, len(text) / 2, strings.LastIndex(text, `{"series"`)} {
		if _, err := parseTrace(strings.NewReader(text[:cut]), 10); err == nil {
			t.Errorf("the first %d bytes of a trace are one", cut)
		}
	}
}

func TestSecondsOfATrace(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.000000", time.Microsecond: "0.000001", 999999 * time.Microsecond: "0.999999", time.Second: "1.000000",
		100*time.Hour + 20*time.Microsecond: "360000.000020",
	} {
		if got := string(appendSeconds(nil, d)); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

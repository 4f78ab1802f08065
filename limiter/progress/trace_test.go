package progress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pace/limiter"
)

// jobs runs n jobs of one second each in a mode.
func jobs(t *testing.T, c *Counter, m limiter.Mode, workers, n int) {
	i := 0
	err := limiter.Each(t.Context(), m, workers, func(context.Context) (int, error) {
		if i == n {
			return 0, io.EOF
		}
		i++
		return i - 1, nil
	}, func(ctx context.Context, i int) error {
		op := c.Begin()
		time.Sleep(time.Second)
		op.EndAs(ctx, Did{Kind: "wait", Item: fmt.Sprint(i), Bytes: 10})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		trace := c.Trace(10)
		jobs(t, c, limiter.Async, 2, 4)
		op := c.Begin()
		time.Sleep(time.Second)
		op.EndAs(t.Context(), Did{Kind: "late", Item: "x", Offset: 7, Err: errors.New("gone")})

		var got []Record
		for i, r := range trace.Records() {
			if got = append(got, *r); i < 4 {
				got[i].Item = "" // whichever of two goroutines began first
			}
		}
		second := func(n int) time.Duration { return time.Duration(n) * time.Second }
		want := []Record{
			{Start: 0, End: second(1), Worker: 0, Kind: "wait", Bytes: 10},
			{Start: 0, End: second(1), Worker: 1, Kind: "wait", Bytes: 10},
			{Start: second(1), End: second(2), Worker: 0, Kind: "wait", Bytes: 10},
			{Start: second(1), End: second(2), Worker: 1, Kind: "wait", Bytes: 10},
			{Start: second(2), End: second(3), Worker: -1, Kind: "late", Item: "x", Offset: 7, Error: "gone"},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("records (-want +got):\n%s", d)
		}
		if all, leftOut := trace.Operations(); all != 5 || leftOut != 0 {
			t.Errorf("%d operations, %d left out", all, leftOut)
		}
		if busy, bytes, operations := sums(trace.Series()); !near(busy, 5) || !near(bytes, 40) || !near(operations, 5) {
			t.Errorf("the series has %v s, %v bytes, %v operations", busy, bytes, operations)
		}
	})
}

// TestTraceIsBounded does more operations than are kept: the records are the first, the series has all.
func TestTraceIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		trace := c.Trace(700)
		jobs(t, c, limiter.Async, 100, 3000)
		if got := trace.Records(); len(got) != 700 || got[699].End != 7*time.Second {
			t.Errorf("%d records, the last ends at %v", len(got), got[len(got)-1].End)
		}
		if all, leftOut := trace.Operations(); all != 3000 || leftOut != 2300 {
			t.Errorf("%d operations, %d left out", all, leftOut)
		}
		if busy, _, operations := sums(trace.Series()); !near(busy, 3000) || !near(operations, 3000) {
			t.Errorf("the series has %v s, %v operations", busy, operations)
		}
	})
}

func TestTraceKeepsNoPage(t *testing.T) {
	c := New()
	trace := c.Trace(100)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 50 {
		page := strings.Repeat(fmt.Sprint(i%10), 1<<20)
		c.Begin().EndAs(t.Context(), Did{Item: page[:10]})
	}
	if after := heap(); after > before+10<<20 {
		t.Errorf("50 names of 10 bytes keep %d MiB", (after-before)>>20)
	}
	if got := trace.Records(); got[11].Item != "1111111111" {
		t.Errorf("item %q", got[11].Item)
	}
}

func TestUntraced(t *testing.T) {
	var none *Counter
	none.Begin().EndAs(t.Context(), Did{Item: "x"})
	op := New().Begin()
	if op.Traced() || none.Begin().Traced() {
		t.Error("somebody traces what nobody asked to")
	}
	op.EndAs(t.Context(), Did{Item: "x"})
}

func BenchmarkTracedOperation(b *testing.B) {
	c := New()
	c.Trace(1000)
	b.ReportAllocs()
	for b.Loop() {
		c.Begin().EndAs(b.Context(), Did{Kind: "chunk", Item: "file", Bytes: 1})
	}
}

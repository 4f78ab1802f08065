package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pace/limiter/progress"
)

func TestBarLine(t *testing.T) {
	const mib = 1 << 20
	half := progress.Snapshot{BytesTotal: 512 * mib, Bytes: 256 * mib, InFlight: 4, TotalKnown: true}
	failing := half
	failing.ItemsFailed = 2
	tuned := half
	tuned.Workers = 12
	growing := progress.Snapshot{ItemsTotal: 4560, Items: 123, InFlight: 16}
	for _, test := range []struct {
		width int
		unit  unit
		s     progress.Snapshot
		rate  float64
		want  string
	}{
		{100, inBytes, half, 128 * mib,
			" 50% [===================>....................] 256 MiB/512 MiB  128 MiB/s  ETA 2s  4 in flight"},
		{79, inBytes, half, 128 * mib, " 50% [===========>............] 256 MiB/512 MiB  128 MiB/s  ETA 2s  4 in flight"},
		{60, inBytes, half, 128 * mib, " 50% 256 MiB/512 MiB  128 MiB/s  ETA 2s  4 in flight"},
		{79, inBytes, tuned, 128 * mib, " 50% [========>.........] 256 MiB/512 MiB  128 MiB/s  ETA 2s  4 of 12 in flight"},
		// What matters least goes first: how many are in flight, then failures, the ETA, the rate.
		{50, inBytes, half, 128 * mib, " 50% 256 MiB/512 MiB  128 MiB/s  ETA 2s"},
		{50, inBytes, failing, 128 * mib, " 50% 256 MiB/512 MiB  128 MiB/s  ETA 2s  2 failed"},
		{39, inBytes, half, 128 * mib, " 50% 256 MiB/512 MiB  128 MiB/s  ETA 2s"},
		{36, inBytes, half, 128 * mib, " 50% 256 MiB/512 MiB  128 MiB/s"},
		{10, inBytes, half, 128 * mib, " 50% 256 M"},
		{0, inBytes, half, 128 * mib, ""},
		// A total that grows has a plus and no ETA.
		{79, inPages, growing, 12.34, "  2% [...........................] 123/4,560+ pages  12.3 pages/s  16 in flight"},
		{39, inPages, growing, 12.34, "  2% 123/4,560+ pages  12.3 pages/s"},
		// Nothing known, nothing done; and more done than was known.
		{79, inBytes, progress.Snapshot{}, 0, "  0% [........................................] 0 B/0 B+  0 B/s"},
		{39, inBytes, progress.Snapshot{Bytes: 2 * mib, BytesTotal: mib, TotalKnown: true}, 0, "100% 2.0 MiB/2.0 MiB  0 B/s"},
	} {
		got := barLine(test.width, test.unit, test.s, test.rate)
		if got != test.want {
			t.Errorf("width %d:\n got %q\nwant %q", test.width, got, test.want)
		}
	}
}

func TestBarLineFitsEveryWidth(t *testing.T) {
	s := progress.Snapshot{
		BytesTotal: 999 << 30, Bytes: 998 << 30, ItemsTotal: 99_999_999, Items: 9_999_999, ItemsFailed: 12345,
		InFlight: 1000, TotalKnown: true,
	}
	for width := range 250 {
		for _, u := range []unit{inBytes, inPages} {
			for _, s.TotalKnown = range []bool{true, false} {
				if line := barLine(width, u, s, 1e3); len(line) > width {
					t.Errorf("width %d: %d columns: %q", width, len(line), line)
				}
			}
		}
	}
}

func TestWindow(t *testing.T) {
	var w window
	for i := range 101 { // ten seconds, a hundred a second, then twice that
		w.add(time.Duration(i)*100*time.Millisecond, int64(10*i))
	}
	if got := w.rate(); got < 99 || got > 101 {
		t.Errorf("steady: %v a second, want 100", got)
	}
	for i := range 35 {
		w.add(10*time.Second+time.Duration(i+1)*100*time.Millisecond, int64(1000+20*(i+1)))
	}
	if got := w.rate(); got < 198 || got > 202 {
		t.Errorf("3.5 s after it doubled: %v a second, want 200", got)
	}
	if n := len(w.samples); n > 33 {
		t.Errorf("%d samples are kept of 3 s", n)
	}
	var first window
	first.add(2*time.Second, 100)
	if got := first.rate(); got != 50 {
		t.Errorf("one sample: %v a second, want 50", got)
	}
}

// fakeTerminal keeps one line of text as a terminal shows it, and all lines above it.
func shown(raw string) (lines []string) {
	line := ""
	for part := range strings.SplitSeq(raw, "\r\x1b[J") {
		if line != "" {
			lines = lines[:len(lines)-1] // erased
		}
		pieces := strings.Split(part, "\n")
		lines = append(lines, pieces...)
		line = lines[len(lines)-1]
		if line == "" {
			lines = lines[:len(lines)-1]
		}
	}
	return lines
}

func TestScreenKeepsLinesApart(t *testing.T) {
	var raw bytes.Buffer
	s := &screen{w: &raw, width: func() int { return 40 }}
	log := slog.New(newLineHandler(s, 0))
	s.draw("bar 1")
	log.Warn("first")
	s.draw("bar 2")
	log.Error("copy", "item", "b\x1b[2J", "error", io.ErrUnexpectedEOF)
	s.draw("bar 3")
	s.finish()
	want := "pace: warning: first|pace: b\\x1b[2J: unexpected EOF|bar 3"
	if got := strings.Join(shown(raw.String()), "|"); got != want {
		t.Errorf("the terminal shows %q, want %q\nraw: %q", got, want, raw.String())
	}
}

func TestScreenNarrowed(t *testing.T) {
	var raw bytes.Buffer
	width := 80
	s := &screen{w: &raw, width: func() int { return width }}
	s.draw(strings.Repeat("x", 79))
	width = 30 // the terminal wraps the line to three rows
	raw.Reset()
	s.draw("short")
	if got, want := raw.String(), "\r\x1b[A\x1b[A\x1b[Jshort"; got != want {
		t.Errorf("drawn %q, want %q", got, want)
	}
	raw.Reset()
	s.draw(strings.Repeat("y", 50))
	if got := len(strings.TrimPrefix(raw.String(), "\r\x1b[J")); got != 29 {
		t.Errorf("%d columns are drawn on a terminal of 30, want 29", got)
	}
}

func TestBarDrawsTheLastState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var raw bytes.Buffer
		c := progress.New()
		c.Grow(1, 1000)
		c.SetTotalKnown()
		b := startBar(&screen{w: &raw, width: func() int { return 60 }}, c, inBytes)
		for range 10 {
			time.Sleep(100*time.Millisecond + time.Microsecond)
			c.AddBytes(99)
		}
		c.AddBytes(10) // after the last tick
		c.ItemDone()
		b.stop()
		lines := shown(raw.String())
		if len(lines) != 1 || !strings.HasPrefix(lines[0], "100% [") || !strings.HasSuffix(raw.String(), "\n") {
			t.Errorf("the terminal shows %q", lines)
		}
		if n := strings.Count(raw.String(), "\r"); n < 8 || n > 12 {
			t.Errorf("%d draws in a second, want about 10", n)
		}
	})
}

func TestEtaText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		9400 * time.Millisecond: "9s", 250 * time.Second: "4m10s",
		200 * time.Minute: "3h20m", 72 * time.Hour: "3d",
	} {
		if got := etaText(d); got != want {
			t.Errorf("etaText(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain größe 日本":     "plain größe 日本",
		"\x1b]0;evil\a":      `\x1b]0;evil\a`,
		"a\nb\r":             `a\nb\r`,
		"\xff\xfe":           `\xff\xfe`,
		"right\u202eto left": `right\u202eto left`,
		"\u009b2J":           `\u009b2J`,
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func BenchmarkBarLine(b *testing.B) {
	s := progress.Snapshot{BytesTotal: 512 << 20, Bytes: 256 << 20, InFlight: 4, TotalKnown: true}
	for b.Loop() {
		_, _ = fmt.Fprint(io.Discard, barLine(99, inBytes, s, 1e9))
	}
}

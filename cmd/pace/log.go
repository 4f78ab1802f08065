package main

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// lineHandler prints log records as cp prints its complaints: "pace: ITEM: cause", "pace: warning: ...".
type lineHandler struct {
	w     io.Writer // each record is one Write
	level slog.Level
	attrs []slog.Attr
	last  *atomic.Pointer[string] // the last error that was printed
}

func newLineHandler(w io.Writer, level slog.Level) *lineHandler {
	return &lineHandler{w: w, level: level, last: new(atomic.Pointer[string])}
}

// told tells whether line is the last error that was printed. What ends a run may be a failed item's error too.
func (h *lineHandler) told(line string) bool {
	last := h.last.Load()
	return last != nil && *last == line
}

func (h *lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = append(append([]slog.Attr(nil), h.attrs...), attrs...)
	return &with
}

// WithGroup returns h: the libraries name no groups, and a line has no place for them.
func (h *lineHandler) WithGroup(string) slog.Handler { return h }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var item, cause string
	var rest []string
	add := func(a slog.Attr) bool {
		switch a.Key {
		case "item":
			item = a.Value.String()
		case "error":
			cause = a.Value.String()
		default:
			rest = append(rest, a.Key+": "+a.Value.String())
		}
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)

	parts := []string{"pace"}
	switch {
	case r.Level >= slog.LevelError:
	case r.Level >= slog.LevelWarn:
		parts = append(parts, "warning")
	case r.Level < slog.LevelInfo:
		parts = append(parts, "debug")
	}
	if item != "" && !strings.Contains(cause, item) {
		parts = append(parts, item)
	}
	if item == "" || cause == "" || r.Level < slog.LevelError {
		parts = append(parts, r.Message) // for a failed item, the cause says it all
	}
	if cause != "" {
		parts = append(parts, cause)
	}
	line := strings.Join(parts, ": ")
	if len(rest) > 0 {
		line += " (" + strings.Join(rest, ", ") + ")"
	}
	line = escape(line)
	if r.Level >= slog.LevelError {
		h.last.Store(&line)
	}
	_, err := io.WriteString(h.w, line+"\n")
	return err
}

// escape makes text from outside harmless to a terminal and one line long: what is not printable is written as Go would
// write it in a string, and bytes that are no UTF-8 as \xNN.
func escape(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}

package main

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
)

func TestLogLines(t *testing.T) {
	refused := errors.New("connection refused")
	for _, test := range []struct {
		name  string
		level slog.Level
		log   func(*slog.Logger)
		want  string
	}{
		{"a failed item", slog.LevelWarn, func(l *slog.Logger) { l.Error("page failed", "item", "http://a/", "error", refused) },
			"pace: http://a/: connection refused\n"},
		{"whose cause names it", slog.LevelWarn, func(l *slog.Logger) { l.Error("failed", "item", "a", "error", "cannot read a") },
			"pace: cannot read a\n"},
		{"a warning", slog.LevelWarn, func(l *slog.Logger) { l.Warn("no io_uring", "reason", "forbidden", "kernel", 5) },
			"pace: warning: no io_uring (reason: forbidden, kernel: 5)\n"},
		{"a warning about an item", slog.LevelWarn, func(l *slog.Logger) { l.With("item", "a").Warn("left out", "error", refused) },
			"pace: warning: a: left out: connection refused\n"},
		{"info", slog.LevelInfo, func(l *slog.Logger) { l.Info("started") }, "pace: started\n"},
		{"debug", slog.LevelDebug, func(l *slog.Logger) { l.Debug("n", "k", "v") }, "pace: debug: n (k: v)\n"},
		{"below the level", slog.LevelError, func(l *slog.Logger) { l.Warn("no") }, ""},
	} {
		var out bytes.Buffer
		test.log(slog.New(newLineHandler(&out, test.level)))
		if got := out.String(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

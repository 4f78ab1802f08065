package copy

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pace/limiter"
)

// inModes runs a test in each mode.
func inModes(t *testing.T, test func(t *testing.T, m limiter.Mode)) {
	for _, m := range limiter.Modes {
		t.Run(m.String(), func(t *testing.T) { test(t, m) })
	}
}

// random returns n bytes that compress and repeat as little as can be, the same ones for the same n.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(b)
	return b
}

func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// same fails the test if path does not hold data.
func same(t testing.TB, path string, data []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("%s has %d bytes that differ from the %d of its source", path, len(got), len(data))
	}
}

// holds fails the test if dir holds anything but names.
func holds(t testing.TB, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Fatalf("%s holds %q, want %q", dir, got, names)
	}
}

func mustRun(t testing.TB, o Options) Report {
	t.Helper()
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.ItemsFailed != 0 {
		t.Fatalf("failed: %v", r.Errors)
	}
	return r
}

// dirs returns an empty folder for sources and one for destinations.
func dirs(t testing.TB) (from, to string) {
	t.Helper()
	root := t.TempDir()
	from, to = filepath.Join(root, "from"), filepath.Join(root, "to")
	for _, dir := range []string{from, to} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return from, to
}

// logs keeps what was logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logs) lines(level slog.Level) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, "level="+level.String()) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// faulty is a driver with something in between.
type faulty struct {
	driver
	read, write func(ctx context.Context, f *os.File, p []byte, off int64) (int, error)
}

func (d faulty) pread(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
	if d.read == nil {
		return d.driver.pread(ctx, f, p, off)
	}
	return d.read(ctx, f, p, off)
}

func (d faulty) pwrite(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
	if d.write == nil {
		return d.driver.pwrite(ctx, f, p, off)
	}
	return d.write(ctx, f, p, off)
}

func (d faulty) moves(ctx context.Context, all []transfer) { movesBy(ctx, d, all) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

package copy

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"pace/limiter"
)

const (
	sumOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	sumOfText    = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1" // of "text"
)

func TestParseManifestLine(t *testing.T) {
	const sum = sumOfNothing
	for _, tt := range []struct{ line, name string }{
		{sum + "  name", "name"},
		{sum + " *name", "name"}, // read as binary
		{sum + "  name\r", "name"},
		{"  " + sum + "  name", "name"},
		{strings.ToUpper(sum) + "  name", "name"},
		{sum + "   two blanks ", " two blanks "},
		{sum + "  \xff\xfe", "\xff\xfe"},
		{sum + `  a\b`, `a\b`}, // no backslash before the line: nothing is escaped
		{`\` + sum + `  a\\b\nc\rd`, "a\\b\nc\rd"},
		{"SHA256 (a) = b) = " + sum, "a) = b"},
		{`\SHA256 (a\nb) = ` + sum, "a\nb"},
		{"SHA256 (name) = " + sum + "\r", "name"},
		{sum, ""},
		{sum + "  ", ""},
		{sum + "  \r", ""},
		{sum + " name", ""},
		{sum[1:] + "  name", ""},
		{"x" + sum[1:] + "  name", ""},
		{"\xc3" + sum + "  name", ""},
		{`\` + sum + `  a\tb`, ""},
		{`\` + sum + `  a\`, ""},
		{"MD5 (name) = " + sum, ""},
		{"SHA256 (name) = " + sum[1:], ""},
		{"SHA256 () = " + sum, ""},
		{"", ""},
	} {
		e, err := parseManifestLine([]byte(tt.line), HashSHA256)
		switch {
		case tt.name == "" && !errors.Is(err, errNoManifestLine):
			t.Errorf("%q: got %q, %v", tt.line, e.name, err)
		case tt.name != "" && (err != nil || e.name != tt.name || hex.EncodeToString(e.sum) != sum):
			t.Errorf("%q: got %q, %x, %v", tt.line, e.name, e.sum, err)
		}
	}
}

func FuzzManifestLine(f *testing.F) {
	f.Add([]byte("a\\b\nc\r"), []byte(`\`+sumOfNothing+`  a\\\n\rb`))
	f.Add([]byte("SHA256 (x) = "), []byte("SHA256 (x) = "+sumOfNothing))
	f.Fuzz(func(t *testing.T, name, line []byte) {
		// Every name survives being written and read.
		if len(name) > 0 && !bytes.Contains(name, []byte{0}) {
			sum := HashXXH3.New().Sum(nil)
			text := appendManifestLine(nil, manifestEntry{string(name), sum})
			body, newline := bytes.CutSuffix(text, []byte("\n"))
			e, err := parseManifestLine(body, HashXXH3)
			if !newline || bytes.ContainsAny(body, "\n\r") || err != nil || e.name != string(name) || !bytes.Equal(e.sum, sum) {
				t.Errorf("%q became %q: %v, %v", name, text, e, err)
			}
		}
		// What is taken for a line says the same when it is written anew.
		e, err := parseManifestLine(line, HashSHA256)
		if err != nil {
			return
		}
		text := bytes.TrimSuffix(appendManifestLine(nil, e), []byte("\n"))
		again, err := parseManifestLine(text, HashSHA256)
		if err != nil || again.name != e.name || !bytes.Equal(again.sum, e.sum) {
			t.Errorf("%q is %v, written anew %v, %v", line, e, again, err)
		}
	})
}

func manifestOf(t testing.TB, o VerifyOptions) (Report, string) {
	t.Helper()
	var list bytes.Buffer
	report, err := WriteManifest(t.Context(), &list, o)
	if err != nil {
		t.Fatal(err)
	}
	return report, list.String()
}

func TestWriteManifest(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		src, _ := twins(t)
		o := VerifyOptions{Source: src, Mode: m, Hash: HashSHA256}
		report, list := manifestOf(t, o)
		lines := strings.Split(list, "\n")
		// The walk's order: that of the names in each folder.
		want := []string{"  big", sumOfNothing + "  none", sumOfText + "  sub/deep/file", "  sub.a", ""}
		if len(lines) != len(want) {
			t.Fatalf("list:\n%s", list)
		}
		for i := range want {
			if !strings.HasSuffix(lines[i], want[i]) {
				t.Errorf("line %d: %q, want %q", i, lines[i], want[i])
			}
		}
		if report.Items != 4 || report.ItemsSkipped != 1 || report.Bytes != 300_005 {
			t.Errorf("report %+v", report)
		}
		o.Source = filepath.Join(src, "sub", "deep", "file")
		if _, list := manifestOf(t, o); list != sumOfText+"  file\n" {
			t.Errorf("of a file: %q", list)
		}
	})
}

func TestWriteManifestFails(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		src, _ := twins(t)
		full := errors.New("full")
		_, err := WriteManifest(t.Context(), writerFunc(func([]byte) (int, error) { return 0, full }),
			VerifyOptions{Source: src, Mode: m})
		if !errors.Is(err, full) {
			t.Errorf("writer fails: %v", err)
		}
		_, err = WriteManifest(t.Context(), &bytes.Buffer{}, VerifyOptions{Source: src + "x", Mode: m})
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no source: %v", err)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Lines come out in order, and only so many wait for a late one.
func TestManifestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		l := newManifestLines(&out)
		for range manifestAhead {
			if _, err := l.reserve(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() { _, err := l.reserve(ctx); failed <- err }()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("one too many: %v", err)
		}
		for _, p := range []int64{3, 2} {
			if err := l.put(p, []byte{'0' + byte(p)}); err != nil || out.Len() > 0 {
				t.Errorf("before its time: %q, %v", out.String(), err)
			}
		}
		if err := l.put(1, nil); err != nil || out.String() != "23" {
			t.Errorf("got %q, %v", out.String(), err)
		}
		if place, err := l.reserve(t.Context()); place != manifestAhead+1 || err != nil {
			t.Errorf("place %d, %v", place, err)
		}
	})
}

func checked(t testing.TB, list string, o VerifyOptions) (Report, string) {
	t.Helper()
	var found []string
	o.OnDifference = func(d Difference) { found = append(found, d.Path) }
	report, err := CheckManifest(t.Context(), strings.NewReader(list), o)
	if err != nil {
		t.Fatal(err)
	}
	return report, strings.Join(found, " ")
}

func TestCheckManifest(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		src, dst := twins(t)
		o := VerifyOptions{Source: src, Mode: m, Hash: HashBLAKE3}
		_, list := manifestOf(t, o)
		o.Source = dst
		crlf := "# by hand\r\n\r\n" + strings.ReplaceAll(list, "\n", "\r\n")
		for _, text := range []string{list, crlf, strings.TrimSuffix(list, "\n")} {
			if report, found := checked(t, text, o); found != "" || report.Items != 4 || report.ItemsFailed != 0 || report.Bytes != 300_005 {
				t.Errorf("the same: %q, %+v", found, report)
			}
		}
		write(t, filepath.Join(dst, "big"), random(300_001))
		if report, found := checked(t, list, o); found != "big" || report.ItemsFailed != 1 {
			t.Errorf("changed: %q, %+v", found, report)
		}
		if err := os.Remove(filepath.Join(dst, "big")); err != nil {
			t.Fatal(err)
		}
		var log logs
		o.Log = log.logger()
		report, found := checked(t, list+"nonsense\n"+strings.Repeat("0", 64)+"  sub\n", o)
		if found != "big" || report.ItemsFailed != 3 || report.Items != 6 {
			t.Errorf("missing, no line, a folder: %q, %+v", found, report)
		}
		if text := strings.Join(log.lines(8), "\n"); !strings.Contains(text, "line 5") || !strings.Contains(text, "it is a folder") {
			t.Errorf("logged:\n%s", text)
		}
		for _, text := range []string{"", "# nothing\n", "nonsense\n"} {
			if _, err := CheckManifest(t.Context(), strings.NewReader(text), o); err == nil {
				t.Errorf("list %q is accepted", text)
			}
		}
	})
}

func TestCheckManifestCancel(t *testing.T) {
	inModes(t, func(t *testing.T, m limiter.Mode) {
		r, w, err := os.Pipe() // nothing ever comes
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _, _ = w.Close(), r.Close() }()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := CheckManifest(ctx, r, VerifyOptions{Source: ".", Mode: m}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// sha256sum checks our lists and we check its, names that need escapes included.
func TestManifestAgainstSha256sum(t *testing.T) {
	tool, err := exec.LookPath("sha256sum")
	if err != nil {
		if runtime.GOOS == "linux" {
			t.Fatal("sha256sum is missing, a part of coreutils")
		}
		t.Skip("this system has no sha256sum")
	}
	src := t.TempDir()
	names := []string{"plain", " blank", "*star", `back\slash`, "new\nline", "\xff", "#", "SHA256 (x) = y"}
	for i, name := range names {
		if err := os.WriteFile(filepath.Join(src, name), random(i*1000), 0o644); err != nil {
			t.Skipf("the file system does not take the name %q", name)
		}
	}
	run := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command(tool, args...)
		cmd.Dir, cmd.Stdin = src, strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("sha256sum %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	_, ours := manifestOf(t, VerifyOptions{Source: src, Hash: HashSHA256})
	if out := run(ours, "--check", "--strict", "-"); strings.Count(out, ": OK\n") != len(names) {
		t.Errorf("sha256sum of our list:\n%s", out)
	}
	for _, flag := range []string{"--text", "--binary", "--tag"} {
		theirs := run("", append([]string{flag, "--"}, names...)...)
		report, found := checked(t, theirs, VerifyOptions{Source: src, Hash: HashSHA256})
		if found != "" || report.Items != int64(len(names)) || report.ItemsFailed != 0 {
			t.Errorf("sha256sum %s wrote\n%swhere we find %q, %+v", flag, theirs, found, report)
		}
	}
}

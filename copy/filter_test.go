package copy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestFilter(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		path    string // a slash at its end makes it a folder
		matches bool
	}{
		{"foo", "foo", true},
		{"foo", "a/b/foo", true}, // without a slash: the last name
		{"foo", "foo/a", false},  // what is in a folder is not asked about
		{"foo", "xfoo", false},
		{"/foo", "foo", true},
		{"/foo", "a/foo", false},
		{"/foo/bar", "foo/bar", true},
		{"/foo/bar", "a/foo/bar", false},
		{"foo/", "foo/", true},
		{"foo/", "a/foo/", true},
		{"foo/", "foo", false}, // folders only
		{"/foo/", "foo/", true},
		{"foo/bar", "foo/bar", true},
		{"foo/bar", "a/foo/bar", true}, // with a slash: the end of the path
		{"foo/bar", "afoo/bar", false},
		{"foo/bar/", "foo/bar", false},
		{"*.o", "a/b.o", true},
		{"*.o", ".o", true},
		{"*", "a/b", true},
		{"/*", "a/b", false}, // a star stops at a slash
		{"/*/b", "a/b", true},
		{"/*/b", "a/a/b", false},
		{"*/b", "x/a/b", true}, // the last two names
		{"*/b", "b", false},    // there are not two
		{"a?c", "abc", true},
		{"a?c", "a/c", false},
		{"**", "a/b/c", true},
		{"**/foo", "foo", true},
		{"**/foo", "a/b/foo", true},
		{"foo/**", "foo/a/b", true},
		{"foo/**", "foo/", false},
		{"foo/**", "a/foo/b", true}, // ** not at the front: from any name on
		{"/foo/**", "a/foo/b", false},
		{"foo/***", "foo/", true}, // and the folder itself
		{"foo/***", "foo", false},
		{"foo/***", "foo/a/b", true},
		{"a**b", "x/a/c/b", true},
		{"a**b", "xa/b", false},
		{"foo**bar*", "foo/x/bar/y", false},
		{"[a-c]x", "bx", true},
		{"[a-c]x", "dx", false},
		{"[!a-c]x", "dx", true},
		{"[^a-c]x", "ax", false},
		{"[]a]x", "]x", true},
		{"[a-]x", "-x", true},
		{`[\]]x`, "]x", true},
		{"[[:digit:]]x", "5x", true},
		{"[[:digit:]]x", "ax", false},
		{"[[:nothing:]]x", "ax", false},
		{"[!a]b", "x/b", false},
		{"a[!x]b", "a/b", false}, // no set holds a slash
		{"[a", "[a", false},      // no end: matches nothing
		{"a[", "a[", false},
		{`a\*`, "a*", true},
		{`a\*`, "ab", false},
		{`a\b`, `a\b`, true}, // no wildcard: an ordinary character
		{`a\b*`, "abc", true},
		{`a*\`, `a\`, false},
		{"\xff*", "\xff\xfe", true},
		{"?", "\xff", true},
		{"/", "a", false},
	} {
		f, err := NewFilter([]Rule{{Pattern: tt.pattern}})
		if err != nil {
			t.Fatalf("%q: %v", tt.pattern, err)
		}
		path, dir := strings.CutSuffix(tt.path, "/")
		if got := f.Excludes(path, dir); got != tt.matches {
			t.Errorf("%q matches %q: %v, want %v", tt.pattern, tt.path, got, tt.matches)
		}
	}
}

func TestFilterOrder(t *testing.T) {
	f, err := NewFilter([]Rule{{true, "keep.o"}, {false, "*.o"}, {true, "*/"}, {false, "/only/*"}, {true, "*.o"}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"keep.o": false, "a.o": true, "x/a.o": true, "a.c": false, "only/a": true,
	} {
		if got := f.Excludes(path, false); got != want {
			t.Errorf("%q is left out: %v, want %v", path, got, want)
		}
	}
	if f.Excludes("d.o", true) != true || f.Excludes("only/sub", true) {
		t.Error("the first rule that matches does not decide")
	}
	if (*Filter)(nil).Excludes("a", false) {
		t.Error("no filter leaves something out")
	}
}

func TestParseFilter(t *testing.T) {
	rules, err := ParseFilter(strings.NewReader("# what to keep\n+ keep.o\r\n\n; and what not\n- *.o\n-  two spaces \n"))
	want := []Rule{{true, "keep.o"}, {false, "*.o"}, {false, " two spaces "}}
	if err != nil || fmt.Sprint(rules) != fmt.Sprint(want) {
		t.Errorf("got %v, %v", rules, err)
	}
	for _, tt := range []struct{ text, says string }{
		{"+ a\nb\n", `line 2: "b" is no rule`},
		{"-", "line 1"},
		{"- ", "line 1"},
		{"+a", "line 1"},
		{"- " + strings.Repeat("a", maxRuleLine), "line 1: bufio.Scanner: token too long"},
	} {
		if _, err := ParseFilter(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.20q: error %v, want %q", tt.text, err, tt.says)
		}
	}
	if _, err := NewFilter([]Rule{{}}); err == nil {
		t.Error("an empty pattern is accepted")
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("- *a*a*a*a*a*a*b\n+ **/[!x-z]\\*?/***\n- [[:alpha:]-]/", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/a", true)
	f.Add("- [", "[", false)
	f.Fuzz(func(t *testing.T, lines, path string, dir bool) {
		rules, err := ParseFilter(strings.NewReader(lines))
		if err != nil {
			return
		}
		filter, err := NewFilter(rules)
		if err != nil {
			t.Fatalf("parsed, and refused: %v", err)
		}
		start := time.Now()
		if got := filter.Excludes(path, dir); got != filter.Excludes(path, dir) {
			t.Error("asked twice, it says two things")
		}
		// Each byte of the path meets each byte of the rules at most once: far less than a microsecond.
		if took, most := time.Since(start), time.Second+time.Duration(len(lines)*len(path))*time.Microsecond; took > most {
			t.Errorf("took %v", took)
		}
		// A rule that names the path itself, all meaning taken away, matches it.
		if path != "" && !strings.HasSuffix(path, "/") {
			g, err := newGlob("/" + escapeGlob(path))
			if err != nil || !g.match(path, dir) {
				t.Errorf("%q does not match itself", path)
			}
		}
	})
}

// escapeGlob returns a pattern that matches s only.
func escapeGlob(s string) string {
	if !strings.ContainsAny(s, "*?[") {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`*?[\`, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

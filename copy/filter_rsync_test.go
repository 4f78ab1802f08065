package copy

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// rsync and the filter choose the same files of a tree, by rules that nobody thought of.
func TestFilterAgainstRsync(t *testing.T) {
	rsync, err := exec.LookPath("rsync")
	if err != nil {
		if os.Getenv("PACE_REQUIRE_SERVERS") != "" {
			t.Fatal("rsync is not installed: make test installs it")
		}
		t.Skip("rsync is not installed: make test installs it")
	}
	root := t.TempDir()
	growTree(t, root, 3)
	rnd := rand.New(rand.NewPCG(1, 2))
	const rounds = 60
	for range rounds {
		var lines strings.Builder
		for range 1 + rnd.IntN(3) {
			lines.WriteString([]string{"+ ", "- "}[min(rnd.IntN(3), 1)] + randomPattern(rnd) + "\n")
		}
		rules := write(t, filepath.Join(t.TempDir(), "rules"), []byte(lines.String()))
		out, err := exec.Command(rsync, "-rn8", "--out-format=%n", "--filter=merge "+rules, root+"/", root+"-none/").Output()
		if err != nil {
			t.Fatalf("rsync with\n%s: %v", &lines, err)
		}
		want := strings.Fields(string(out))
		want = slices.DeleteFunc(want, func(s string) bool { return s == "./" })
		slices.Sort(want)
		parsed, err := ParseFilter(strings.NewReader(lines.String()))
		if err != nil {
			t.Fatal(err)
		}
		f, err := NewFilter(parsed)
		if err != nil {
			t.Fatal(err)
		}
		got := chosen(t, root, "", f)
		slices.Sort(got)
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("with the rules\n%s(-rsync +pace):\n%s", &lines, d)
		}
	}
}

// growTree makes a folder of files and folders whose names are bits of patterns.
func growTree(t *testing.T, dir string, depth int) {
	for _, name := range []string{"a", "b", "ab", "a*", "[a]", `a\b`, "]"} {
		write(t, filepath.Join(dir, name), nil)
	}
	if depth == 0 {
		return
	}
	for _, name := range []string{"aa", "ba", "bb"} {
		sub := filepath.Join(dir, name)
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		growTree(t, sub, depth-1)
	}
}

// randomPattern is short and mostly of what means something.
func randomPattern(rnd *rand.Rand) string {
	bits := []string{"a", "b", "a", "b", "/", "/", "*", "**", "***", "?", "[ab]", "[!a]", "[", "]", `\`, "[a-b]", "[[:alpha:]]", "-"}
	for {
		var b strings.Builder
		for range 1 + rnd.IntN(6) {
			b.WriteString(bits[rnd.IntN(len(bits))])
		}
		if strings.Trim(b.String(), "/") != "" {
			return b.String()
		}
	}
}

// chosen walks a tree as the filter says, and lists it as rsync does: folders with a slash at the end.
func chosen(t *testing.T, root, rel string, f *Filter) []string {
	entries, err := os.ReadDir(filepath.Join(root, rel))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		path := strings.TrimPrefix(rel+"/"+e.Name(), "/")
		switch {
		case f.Excludes(path, e.IsDir()):
		case e.IsDir():
			names = append(append(names, path+"/"), chosen(t, root, path, f)...)
		default:
			names = append(names, path)
		}
	}
	return names
}

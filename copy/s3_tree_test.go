package copy

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"pace/limiter"
)

// oddNames are what stores and protocols stumble over.
var oddNames = []string{
	"plain", "with space", " leading", "trailing ", "a+b", "a%20b", "100%", "q?x=y", "h#f", "ä/ö/ü", "日本/語", "a&b<c>\"d'",
	"d/a.b", "d/a/b", "d/a0", "tab\there", "new\nline", "back\\slash", "~tilde", "*star[x]", "e\u0301", ".hidden", "-dash", "comma,;:=@$!()",
	strings.Repeat("long", 50),
}

func oddTree(t testing.TB, root string) (names []string) {
	t.Helper()
	for i, name := range oddNames {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, random(i*1000))
	}
	return oddNames
}

func (g *gateway) keys(t testing.TB, prefix string) []string {
	t.Helper()
	keys := []string{}
	for o := range g.look.ListObjectsIter(t.Context(), bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		keys = append(keys, strings.TrimPrefix(o.Key, prefix))
	}
	slices.Sort(keys)
	return keys
}

func filesBelow(t testing.TB, root string) []string {
	t.Helper()
	names := []string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func sameNames(t testing.TB, got, want []string) {
	t.Helper()
	want = slices.Clone(want)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
}

// A tree with odd names goes up, to another prefix within the store, and down again.
func TestObjectTree(t *testing.T) {
	g := newGateway(t)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src := filepath.Join(from, "src")
		names := oddTree(t, src)
		if err := os.Symlink("plain", filepath.Join(src, "link")); err != nil {
			t.Fatal(err)
		}
		up, across := "up-"+m.String()+"/", "across-"+m.String()+"/"

		o := g.options(m, src, "s3://bucket/"+up)
		o.Recursive = true
		report := downloaded(t, o)
		if int(report.Items) != len(names) || report.ItemsSkipped != 1 || report.Warnings != 1 {
			t.Errorf("%+v", report)
		}
		sameNames(t, g.keys(t, up), names)

		o = g.options(m, "s3://bucket/"+up, "s3://bucket/"+across)
		o.Recursive = true
		downloaded(t, o)
		sameNames(t, g.keys(t, across), names)

		o = g.options(m, "s3://bucket/"+strings.TrimSuffix(across, "/"), filepath.Join(to, "dst"))
		o.Recursive = true
		for range 2 { // the second time into what is there
			report = downloaded(t, o)
			if int(report.Items) != len(names) {
				t.Errorf("%+v", report)
			}
		}
		sameNames(t, filesBelow(t, o.Dest), names)
		for i, name := range names {
			same(t, filepath.Join(o.Dest, filepath.FromSlash(name)), random(i*1000))
			was, _ := os.Stat(filepath.Join(src, filepath.FromSlash(name)))
			is, err := os.Stat(filepath.Join(o.Dest, filepath.FromSlash(name)))
			if err != nil || !is.ModTime().Equal(was.ModTime()) || is.Mode() != was.Mode() {
				t.Errorf("%q: %v, %v, %v", name, err, is, was)
			}
		}
	})
}

// A listing of more than one page brings each object once.
func TestObjectManyPages(t *testing.T) {
	g := newGateway(t)
	const count = 2*listPage + 10
	dir := filepath.Join(g.Root, bucket, "many")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		write(t, filepath.Join(dir, fmt.Sprintf("%05d", i)), []byte("x"))
	}
	_, to := dirs(t)
	o := g.options(limiter.Async, "s3://bucket/many", to)
	o.Recursive, o.Workers = true, 16
	if report := downloaded(t, o); report.Items != count {
		t.Fatalf("%+v", report)
	}
	if got := filesBelow(t, to); len(got) != count {
		t.Fatalf("%d files", len(got))
	}
}

// What is as new as its source stays, and so does what has the same bytes if these are what is asked for.
func TestObjectTreeAgain(t *testing.T) {
	g := newGateway(t)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		at := "s3://bucket/again-" + m.String()
		files := []string{"small", "large", "empty"}
		for i, size := range []int{100, 11 * mib, 0} {
			path := write(t, filepath.Join(from, files[i]), random(size))
			if err := os.Chtimes(path, longAgo, longAgo); err != nil {
				t.Fatal(err)
			}
		}
		run := func(src, dst string, change func(*Options)) Report {
			t.Helper()
			o := g.options(m, src, dst)
			o.Recursive = true
			change(&o)
			return downloaded(t, o)
		}
		update := func(o *Options) { o.Update = true }
		checksum := func(o *Options) { o.Checksum = true }
		never := func(o *Options) { o.NoClobber = true }
		skips := func(report Report, want int64) {
			t.Helper()
			if report.ItemsSkipped != want || report.Items != 3-want {
				t.Fatalf("%+v, want %d skipped", report, want)
			}
		}
		other := at + "-other"
		for _, leg := range [][2]string{{from, at}, {at, other}, {other, to}} {
			skips(run(leg[0], leg[1], update), 0)
			skips(run(leg[0], leg[1], update), 3)
			skips(run(leg[0], leg[1], checksum), 3)
			skips(run(leg[0], leg[1], never), 3)
			skips(run(leg[0], leg[1], func(*Options) {}), 0)
		}
		// Newer, and other bytes of the same length.
		write(t, filepath.Join(from, "small"), random(101)[:100])
		for _, leg := range [][2]string{{from, at}, {at, other}, {other, to}} {
			skips(run(leg[0], leg[1], never), 3)
			skips(run(leg[0], leg[1], checksum), 2)
			skips(run(leg[0], leg[1], update), 3)
		}
		same(t, filepath.Join(to, "small"), random(101)[:100])
		now := time.Now().Add(time.Hour)
		for i := range files {
			if err := os.Chtimes(filepath.Join(from, files[i]), now, now); err != nil {
				t.Fatal(err)
			}
		}
		for _, leg := range [][2]string{{from, at}, {at, other}, {other, to}} {
			skips(run(leg[0], leg[1], checksum), 3)
			skips(run(leg[0], leg[1], update), 0)
		}
	})
}

// What the source has not goes, and nothing else.
func TestObjectDelete(t *testing.T) {
	g := newGateway(t)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		for _, name := range []string{"a", "d/b", "d/e/c"} {
			path := filepath.Join(from, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, path, []byte(name))
		}
		base := "delete-" + m.String()
		run := func(src, dst string, change func(*Options)) Report {
			t.Helper()
			o := g.options(m, src, dst)
			o.Recursive, o.Delete = true, true
			if change != nil {
				change(&o)
			}
			return downloaded(t, o)
		}
		extra := []string{"/x", "/d/x", "/d/e/x.keep", "-beside/x"}
		for _, p := range []string{base, base + "-2"} {
			for _, name := range extra {
				g.put(t, p+name, []byte("extra"))
			}
		}
		keep, err := NewFilter([]Rule{{Pattern: "*.keep"}})
		if err != nil {
			t.Fatal(err)
		}
		filtered := func(o *Options) { o.Filter = keep }
		dry := func(o *Options) { o.Filter, o.DryRun = keep, true }
		want := []string{"a", "d/b", "d/e/c", "d/e/x.keep"}

		run(from, "s3://bucket/"+base, dry)
		sameNames(t, g.keys(t, base+"/"), []string{"x", "d/x", "d/e/x.keep"})
		run(from, "s3://bucket/"+base, filtered)
		sameNames(t, g.keys(t, base+"/"), want)
		sameNames(t, g.keys(t, base+"-beside/"), []string{"x"})

		run("s3://bucket/"+base, "s3://bucket/"+base+"-2", filtered)
		sameNames(t, g.keys(t, base+"-2/"), want)

		for _, name := range []string{"x", "d/y", "d/z/x", "d/e/x.keep"} {
			path := filepath.Join(to, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, path, []byte("extra"))
		}
		run("s3://bucket/"+base, to, dry)
		sameNames(t, filesBelow(t, to), []string{"x", "d/y", "d/z/x", "d/e/x.keep"})
		run("s3://bucket/"+base, to, filtered)
		sameNames(t, filesBelow(t, to), want)
		if exists(filepath.Join(to, "d", "z")) {
			t.Error("a folder that the source has not is there")
		}

		// Nothing is as empty as a prefix that was misspelt.
		o := g.options(m, "s3://bucket/misspelt", to)
		o.Recursive, o.Delete = true, true
		if report, err := quickly(o).run(t.Context()); err == nil {
			t.Fatalf("%+v", report)
		}
		sameNames(t, filesBelow(t, to), want)
	})
}

// Keys that are no paths below the destination are not written there, and nothing outside is.
func TestObjectHostileKeys(t *testing.T) {
	st := &fakeStore{keys: []string{
		"p/good", "p/../../evil", "p//evil", "p/./evil", "p/..", "p/a\x00b", "p/sub/../../../evil", "p/link/evil", "p/good/below",
	}}
	url := st.start(t)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		dst := filepath.Join(to, "dst")
		if err := os.Mkdir(dst, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(from, filepath.Join(dst, "link")); err != nil {
			t.Fatal(err)
		}
		o := Options{Sources: []string{"s3://bucket/p"}, Dest: dst, Mode: m, Workers: 1, Recursive: true,
			S3: S3{Endpoint: url, Region: "r", AccessKeyID: "k", SecretAccessKey: "s"}}
		report, err := quickly(o).run(t.Context())
		if err != nil || int(report.ItemsFailed) != len(st.keys)-1 {
			t.Fatalf("%+v, %v", report, err)
		}
		holds(t, to, "dst")
		holds(t, dst, "good", "link")
		holds(t, from)
		if got, err := os.ReadFile(filepath.Join(dst, "good")); err != nil || !bytes.Equal(got, []byte("p/good")) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

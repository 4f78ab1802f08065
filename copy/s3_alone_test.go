package copy

import (
	"os"
	"path/filepath"
	"testing"

	"pace/limiter"
)

// A tree that is one object has its name where a file would have one, and makes nothing else go: there is no tree to
// compare with.
func TestObjectAloneAsTree(t *testing.T) {
	g := newGateway(t)
	g.put(t, "one", []byte("one"))
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		file := write(t, filepath.Join(from, "one"), []byte("one"))
		base := "alone-" + m.String()
		for _, src := range []string{file, "s3://bucket/one"} {
			copied := func(dst string) {
				t.Helper()
				o := g.options(m, src, dst)
				o.Recursive, o.Delete = true, true
				if report := downloaded(t, o); report.Items != 1 {
					t.Errorf("%+v", report)
				}
			}
			for _, other := range []string{"/below/x", "/in/x"} {
				g.put(t, base+other, []byte("x"))
			}
			copied("s3://bucket/" + base + "/new")
			copied("s3://bucket/" + base + "/in/")
			o := g.options(m, src, "s3://bucket/"+base+"/below")
			o.Recursive, o.Delete = true, true
			_, _ = quickly(o).run(t.Context()) // this store has no object with others below it
			sameNames(t, g.keys(t, base+"/"), []string{"new", "in/one", "in/x", "below/x"})
			remove(t, g, base+"/new")
			remove(t, g, base+"/in/one")
			if src == file {
				continue
			}
			write(t, filepath.Join(to, "x"), []byte("x"))
			copied(to)
			copied(filepath.Join(to, "new"))
			sameNames(t, filesBelow(t, to), []string{"one", "new", "x"})
			same(t, filepath.Join(to, "new"), []byte("one"))
		}
		// What is not there makes no folder.
		o := g.options(m, "s3://bucket/missing", filepath.Join(from, "never"))
		o.Recursive = true
		if report, err := quickly(o).run(t.Context()); err == nil || report.ItemsFailed != 1 {
			t.Errorf("%v, %+v", err, report)
		}
		holds(t, from, "one")
	})
}

// What a list of paths leaves out is there all the same, and stays.
func TestObjectDeleteOnly(t *testing.T) {
	g := newGateway(t)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		base := "only-" + m.String() + "/"
		for _, name := range []string{"a", "d/b", "d/c"} {
			if err := os.MkdirAll(filepath.Join(from, "d"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(from, filepath.FromSlash(name)), []byte(name))
			g.put(t, base+name, []byte(name))
			g.put(t, base+"other/"+name, []byte(name))
		}
		for _, leg := range [][2]string{
			{"s3://bucket/" + base, to}, {from, "s3://bucket/" + base + "other"},
			{"s3://bucket/" + base, "s3://bucket/" + base[:len(base)-1] + "-across"},
		} {
			o := g.options(m, leg[0], leg[1])
			o.Recursive = true
			downloaded(t, o)
			o.Delete, o.Only = true, []string{"d/b"}
			if report := downloaded(t, o); report.Items != 1 {
				t.Errorf("%+v", report)
			}
		}
		// The prefix of the first has the other below it.
		sameNames(t, filesBelow(t, to), []string{"a", "d/b", "d/c", "other/a", "other/d/b", "other/d/c"})
		sameNames(t, g.keys(t, base+"other/"), []string{"a", "d/b", "d/c"})
		sameNames(t, g.keys(t, base[:len(base)-1]+"-across/"), []string{"a", "d/b", "d/c", "other/a", "other/d/b", "other/d/c"})
	})
}

// The object that stands for the prefix itself has no name in a bucket's root, and is nothing that could be copied there.
func TestObjectOfPrefixToBucket(t *testing.T) {
	g := newGateway(t, "other")
	g.put(t, "p/", nil)
	g.put(t, "p/a", []byte("a"))
	inModes(t, func(t *testing.T, m limiter.Mode) {
		o := g.options(m, "s3://bucket/p/", "s3://other/")
		o.Recursive = true
		if report := downloaded(t, o); report.Items != 1 {
			t.Errorf("%+v", report)
		}
		o = g.options(m, "s3://bucket/p/", filepath.Join(t.TempDir(), "dst"))
		o.Recursive = true
		if report := downloaded(t, o); report.Items != 1 {
			t.Errorf("%+v", report)
		}
	})
}

// A listing cannot have told a name with a character that XML has not. What has such a name here is not taken for extra.
func TestObjectDeleteUnclear(t *testing.T) {
	st := &fakeStore{keys: []string{"p/b", "p/\ufffdcontrol"}}
	url := st.start(t)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		to := t.TempDir()
		write(t, filepath.Join(to, "a"), nil)
		o := Options{Sources: []string{"s3://bucket/p"}, Dest: to, Mode: m, Recursive: true, Delete: true,
			S3: S3{Endpoint: url, Region: "r", AccessKeyID: "k", SecretAccessKey: "s"}}
		report, err := quickly(o).run(t.Context())
		if err != nil || report.ItemsFailed != 1 {
			t.Errorf("%v, %+v", err, report)
		}
		sameNames(t, filesBelow(t, to), []string{"a", "b", "\ufffdcontrol"})
	})
}

package copy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pace/limiter"
	"pace/limiter/redistest"
)

// objectsInFleet are objects of all sizes: what one worker sends at once, in parts, and what many send.
func objectsInFleet() map[string][]byte {
	all := map[string][]byte{
		"empty": {}, "small": random(1000), "a/b/c": random(2000), "a/b+ c%20": random(10), "a/large": random(11*mib + 777),
		"medium": random(900 * kib), "big": random(6 * mib),
	}
	for i := range 150 {
		all[fmt.Sprintf("many/%03d", i)] = random(i)
	}
	return all
}

func writeTree(t testing.TB, dir string, all map[string][]byte) {
	t.Helper()
	for name, data := range all {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, data)
	}
}

// sameObjects fails the test if below a prefix there is anything but all, or an upload is left.
func (g *gateway) sameObjects(t testing.TB, prefix string, all map[string][]byte) {
	t.Helper()
	keys := g.keys(t, prefix)
	if len(keys) != len(all) {
		t.Errorf("%d objects of %d below %s", len(keys), len(all), prefix)
	}
	for name, data := range all {
		if got := g.get(t, prefix+name); string(got) != string(data) {
			t.Errorf("%s has %d other bytes of %d", name, len(got), len(data))
		}
	}
	if left := g.uploads(t); len(left) > 0 {
		t.Errorf("%d uploads are left", len(left))
	}
}

func sameTree(t testing.TB, dir string, all map[string][]byte) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil || n != len(all) {
		t.Errorf("%d files of %d, %v", n, len(all), err)
	}
	for name, data := range all {
		same(t, filepath.Join(dir, name), data)
	}
}

func TestFleetCopiesObjects(t *testing.T) {
	g := newGateway(t)
	url := redistest.Start(t).URL
	all := objectsInFleet()
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src := filepath.Join(from, "src")
		writeTree(t, src, all)
		up, across := "s3://bucket/up-"+m.String(), "s3://bucket/across-"+m.String()+"/"
		for i, leg := range [][2]string{{src, up}, {up + "/", across}, {across, filepath.Join(to, "dst")}} {
			for _, verify := range []bool{false, true} {
				t.Run(fmt.Sprint(i, verify), func(t *testing.T) {
					o := g.options(m, leg[0], leg[1])
					o.Recursive, o.Verify = true, verify
					got := together(t, 3, inFleet(t, url, o))
					if got.Items != int64(len(all)) {
						t.Errorf("%d items of %d", got.Items, len(all))
					}
				})
			}
		}
		g.sameObjects(t, "up-"+m.String()+"/", all)
		g.sameObjects(t, "across-"+m.String()+"/", all)
		sameTree(t, filepath.Join(to, "dst"), all)
		if info, err := os.Stat(filepath.Join(to, "dst", "a", "large")); err != nil {
			t.Error(err)
		} else if was, err := os.Stat(filepath.Join(src, "a", "large")); err != nil || !was.ModTime().Equal(info.ModTime()) {
			t.Errorf("modified at %v, %v", info.ModTime(), err)
		}
	})
}

// A single object, and what is refused.
func TestFleetCopiesOneObject(t *testing.T) {
	g := newGateway(t)
	url := redistest.Start(t).URL
	data := random(7*mib + 1)
	g.put(t, "one", data)
	inModes(t, func(t *testing.T, m limiter.Mode) {
		_, to := dirs(t)
		for i, c := range []struct{ src, dst, err string }{
			{"s3://bucket/one", filepath.Join(to, "file"), ""},
			{"s3://bucket/one", to, ""},
			{filepath.Join(to, "file"), "s3://bucket/" + m.String(), ""},
			{"s3://bucket/" + m.String(), "s3://bucket/again-" + m.String() + "/", ""},
			{"s3://bucket/one", "s3://bucket/one", "are the same object"},
			{"s3://bucket/none", to, "cannot read s3://bucket/none"},
			{"s3://bucket/", to, "-r not specified; omitting prefix"},
			{to, "s3://bucket/x", "-r not specified; omitting directory"},
		} {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				o := inFleet(t, url, g.options(m, c.src, c.dst))
				report, err := Run(t.Context(), o)
				said := fmt.Sprint(err, report.Errors)
				if c.err == "" && (err != nil || report.Items != 1 || report.ItemsFailed > 0) || !strings.Contains(said, c.err) {
					t.Errorf("%s, %+v", said, report.Totals)
				}
			})
		}
		same(t, filepath.Join(to, "file"), data)
		same(t, filepath.Join(to, "one"), data)
		for _, key := range []string{m.String(), "again-" + m.String() + "/" + m.String()} {
			if string(g.get(t, key)) != string(data) {
				t.Errorf("%s has other bytes", key)
			}
		}
	})
}

package copy

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pace/limiter"
	"pace/limiter/redistest"
)

var linkText = regexp.MustCompile(` link of \S+`)

// unlinked returns what is said of a tree as if no file had a second name: a fleet copies each.
func unlinked(tree map[string]string) map[string]string {
	for rel, text := range tree {
		tree[rel] = linkText.ReplaceAllString(text, "")
	}
	return tree
}

func TestFleetCopiesALargeFile(t *testing.T) {
	url := redistest.Start(t).URL
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		data := random(5*mib + 12345)
		src := write(t, filepath.Join(from, "src"), data)
		got := together(t, 3, inFleet(t, url, Options{Sources: []string{src}, Dest: filepath.Join(to, "dst"), Mode: m, Verify: true}))
		same(t, filepath.Join(to, "dst"), data)
		holds(t, to, "dst")
		if got.Items != 1 || got.Bytes != int64(len(data)) {
			t.Errorf("got %d items and %d bytes", got.Items, got.Bytes)
		}
		alike(t, lookAt(t, filepath.Join(to, "dst"), false), lookAt(t, src, false))
	})
}

func TestFleetCopiesATree(t *testing.T) {
	url := redistest.Start(t).URL
	inModes(t, func(t *testing.T, m limiter.Mode) {
		from, to := dirs(t)
		src, dst := filepath.Join(from, "src"), filepath.Join(to, "dst")
		zoo(t, src)
		together(t, 3, inFleet(t, url, Options{Sources: []string{src}, Dest: dst, Mode: m, Archive: true}))
		alike(t, unlinked(lookAt(t, dst, true)), unlinked(lookAt(t, src, true)))
		holds(t, to, "dst")
	})
}

// On a Cluster a folder, its files and what is above it are counted on different servers.
func TestFleetOnACluster(t *testing.T) {
	var addrs []string
	for _, server := range redistest.StartCluster(t) {
		addrs = append(addrs, server.Addr)
	}
	from, to := dirs(t)
	src, dst := filepath.Join(from, "src"), filepath.Join(to, "dst")
	cargo(t, src)
	o := inFleet(t, "redis://"+strings.Join(addrs, ","), Options{Sources: []string{src}, Dest: dst, Archive: true, Verify: true})
	together(t, 3, o)
	arrived(t, dst, src)
}

package site

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// furthest returns how many links a page is away from / at most, and how many pages there are.
func furthest(t *testing.T, s *Site) (depth, pages int) {
	t.Helper()
	seen := map[string]bool{"/": true}
	for level := []string{"/"}; len(level) > 0; depth++ {
		var next []string
		for _, path := range level {
			for _, m := range href.FindAllStringSubmatch(body(t, get(s, path)), -1) {
				if !seen[m[1]] {
					seen[m[1]] = true
					next = append(next, m[1])
				}
			}
		}
		if len(next) == 0 {
			break
		}
		level = next
	}
	return depth, len(seen)
}

func TestDepth(t *testing.T) {
	for _, o := range []Options{
		{Pages: 3000, Links: 1, Depth: 5, PageSize: 100},
		{Pages: 3000, Links: 1, Depth: 1, PageSize: 100},
		{Pages: 3000, Links: 1, Depth: 2999, PageSize: 100},
		{Pages: 3000, Links: 2, Depth: 1<<31 - 1, PageSize: 100},
		{Pages: 3000, Links: 40, Depth: 5},
		{Pages: 364, Links: 5, Depth: 5, PageSize: 100}, // 1 + 3 + ... + 243 is 364
		{Pages: 365, Links: 5, Depth: 5, PageSize: 100},
		{Pages: 1, Depth: 5}, {Pages: 2, Depth: 1},
	} {
		depth, pages := furthest(t, New(o))
		if depth > o.Depth || pages != o.Pages {
			t.Errorf("%+v: %d pages within %d links", o, pages, depth)
		}
	}
	if n := (Options{Pages: 364, Links: 5, Depth: 5}).withDefaults().fanOut(); n != 3 {
		t.Errorf("a tree that just suffices has a fan-out of %d", n)
	}
	if n := (Options{Pages: 365, Links: 5, Depth: 5}).withDefaults().fanOut(); n != 4 {
		t.Errorf("one page more, and it is %d", n)
	}
	if o := (Options{Pages: 1<<31 - 1, Links: 2, Depth: 5}); o.Check() != nil {
		t.Error(o.Check())
	}
}

// A crawler that has many pages in flight finds them in any order, and each is as deep as it was when it was first found.
func TestDepthInAnyOrder(t *testing.T) {
	for _, o := range []Options{
		{Pages: 1, Depth: 5}, {Pages: 2, Depth: 5}, {Pages: 300, Links: 1, Depth: 5}, {Pages: 3000, Links: 20, Depth: 5},
		{Pages: 3000, Links: 7, Depth: 6, Seed: 3}, {Pages: 500, Links: 30, Depth: 2},
	} {
		s := New(o)
		for seed := range uint64(4) {
			random := rand.New(rand.NewPCG(seed, 0))
			depth, open := map[string]int{"/": 0}, []string{"/"}
			for len(open) > 0 {
				next := len(open) - 1 // the newest: depth first
				if seed > 0 {
					next = random.IntN(len(open))
				}
				path := open[next]
				open = slices.Delete(open, next, next+1)
				for _, m := range href.FindAllStringSubmatch(body(t, get(s, path)), -1) {
					if _, found := depth[m[1]]; !found {
						depth[m[1]] = depth[path] + 1
						open = append(open, m[1])
					}
				}
			}
			deepest := slices.Max(slices.Collect(maps.Values(depth)))
			if len(depth) != o.Pages || deepest > o.Depth {
				t.Errorf("%+v: %d pages, the deepest at %d", o, len(depth), deepest)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for _, o := range []Options{{}, {Pages: 10_001, Depth: 1}, {Pages: 1<<31 - 1, Depth: 3}, {Pages: 1<<31 - 1, Depth: 0}} {
		if err := o.Check(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []Options{{Pages: 10_002, Depth: 1}, {Pages: 1<<31 - 1, Depth: 2}} {
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), "at most 10000") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

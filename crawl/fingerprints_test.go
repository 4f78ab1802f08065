package crawl

import (
	"testing"

	"pgregory.net/rapid"
)

// The set is what a map is, also where hashes share their places.
func TestFingerprints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s fingerprints
		want := map[uint64]bool{0: false}
		crowded := rapid.Custom(func(t *rapid.T) uint64 {
			return rapid.Uint64Range(0, 3).Draw(t, "table")<<56 | rapid.Uint64Range(0, 200).Draw(t, "place")
		})
		for _, h := range rapid.SliceOf(rapid.OneOf(crowded, rapid.Uint64())).Draw(t, "hashes") {
			h = max(h, 1) // 0 and 1 are one
			if s.has(h) != want[h] {
				t.Fatalf("has(%#x) is %v", h, !want[h])
			}
			if s.add(h) == want[h] {
				t.Fatalf("add(%#x) is %v", h, want[h])
			}
			want[h] = true
		}
		for h := range want {
			if h != 0 && !s.has(h) {
				t.Fatalf("%#x is missing", h)
			}
		}
	})
}

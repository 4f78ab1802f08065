package copy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const lineLen = 64 // bytes of the small files that properties are checked on

func anyRanges(t *rapid.T) []hashedRange {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) hashedRange {
		off := rapid.Int64Range(0, lineLen-1).Draw(t, "off")
		return hashedRange{off, rapid.Int64Range(1, lineLen-off).Draw(t, "n"), rapid.Uint64Range(0, 3).Draw(t, "sum")}
	}), 0, 12).Draw(t, "done")
}

// anyExtents returns extents in order and apart.
func anyExtents(t *rapid.T) []extent {
	var all []extent
	off := int64(0)
	for off < lineLen && rapid.Bool().Draw(t, "more") {
		start := rapid.Int64Range(off, lineLen-1).Draw(t, "start")
		end := rapid.Int64Range(start+1, lineLen).Draw(t, "end")
		all = append(all, extent{start, end})
		off = end + 1
	}
	return all
}

func mark(line *[lineLen]bool, off, end int64, v bool) {
	for i := off; i < end; i++ {
		line[i] = v
	}
}

// drawn returns which bytes the extents cover, and fails the test if they are empty or not in order and apart.
func drawn(t *rapid.T, extents []extent, apart int64) (line [lineLen]bool) {
	last := -apart
	for _, e := range extents {
		if e.off < last+apart || e.end <= e.off {
			t.Fatalf("not in order and apart: %v", extents)
		}
		last = e.end
		mark(&line, e.off, e.end, true)
	}
	return line
}

func TestMissing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		extents, done := anyExtents(t), anyRanges(t)
		var want, have [lineLen]bool
		for _, e := range extents {
			mark(&want, e.off, e.end, true)
		}
		for _, r := range done {
			mark(&want, r.off, r.off+r.n, false)
			mark(&have, r.off, r.off+r.n, true)
		}
		before, ranges := slices.Clone(extents), slices.Clone(done)
		got := missing(extents, done)
		if drawn(t, got, 1) != want {
			t.Fatalf("of %v without %v got %v", extents, done, got)
		}
		if drawn(t, merged(done), 1) != have {
			t.Fatalf("%v merged to %v", done, merged(done))
		}
		if !slices.Equal(extents, before) || !slices.Equal(done, ranges) {
			t.Fatal("what was given has changed")
		}
	})
}

func TestSortedRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		done := anyRanges(t)
		last := map[extent]uint64{} // the sum of the last record of each range
		for _, r := range done {
			last[extent{r.off, r.n}] = r.sum
		}
		got := sorted(slices.Clone(done))
		if len(got) != len(last) || !slices.IsSortedFunc(got, func(a, b hashedRange) int { return int(a.off - b.off) }) {
			t.Fatalf("%v became %v", done, got)
		}
		for _, r := range got {
			if last[extent{r.off, r.n}] != r.sum {
				t.Fatalf("%v became %v", done, got)
			}
		}
	})
}

// from reads data as pread(2) does, at most most bytes at a time.
func from(data []byte, most int) func(p []byte, off int64) (int, error) {
	return func(p []byte, off int64) (int, error) {
		if off >= int64(len(data)) {
			return 0, nil
		}
		return copy(p[:min(most, len(p))], data[off:]), nil
	}
}

func cut(data []byte, size int64) (all []hashedRange) {
	for off := int64(0); off < int64(len(data)); off += size {
		all = append(all, rangeOf(data[off:min(off+size, int64(len(data)))], off))
	}
	return all
}

// Exactly the ranges that hold a changed byte are dropped.
func TestRehash(t *testing.T) {
	data := random(3*rehashBuffer + 17)
	for _, size := range []int64{1 << 10, rehashBuffer - 1, rehashBuffer + 1, int64(len(data))} {
		all := cut(data, size)
		for _, bad := range []int64{-1, 0, size - 1, int64(len(data)) - 1} {
			held := bytes.Clone(data)
			var want []hashedRange
			for _, r := range all {
				if bad < r.off || bad >= r.off+r.n {
					want = append(want, r)
				}
			}
			if bad >= 0 {
				held[bad] ^= 0x10
			}
			kept, err := rehash(t.Context(), from(held, 100_000), all)
			if err != nil || !slices.Equal(kept, want) {
				t.Errorf("size %d, byte %d changed: kept %d of %d, want %d, %v", size, bad, len(kept), len(all), len(want), err)
			}
		}
	}
}

// What cannot be read is copied again.
func TestRehashUnreadable(t *testing.T) {
	data := random(10_000)
	all := cut(data, 1000)
	kept, err := rehash(t.Context(), from(data[:5500], 700), all)
	if err != nil || !slices.Equal(kept, all[:5]) {
		t.Errorf("of a file that ends: kept %v, %v", kept, err)
	}
	read := from(data, 700)
	kept, err = rehash(t.Context(), func(p []byte, off int64) (int, error) {
		if off < 1000 {
			return 0, errors.New("bad sector")
		}
		n, _ := read(p, off)
		if off+int64(n) == int64(len(data)) {
			return n, io.EOF // as io.ReaderAt may
		}
		return n, nil
	}, all)
	if err != nil || !slices.Equal(kept, all[1:]) {
		t.Errorf("of a file with a bad sector: kept %v, %v", kept, err)
	}
}

func TestRehashBoundedMemory(t *testing.T) {
	largest := 0
	r := hashedRange{0, 1 << 26, 1}
	kept, err := rehash(t.Context(), func(p []byte, _ int64) (int, error) {
		largest = max(largest, len(p))
		return len(p), nil
	}, []hashedRange{r})
	if err != nil || len(kept) != 0 || largest > rehashBuffer || largest == 0 {
		t.Errorf("kept %v, %v, read %d bytes at once", kept, err, largest)
	}
}

func TestRehashCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	reads := 0
	data := random(10 * rehashBuffer)
	kept, err := rehash(ctx, func(p []byte, off int64) (int, error) {
		if reads++; reads == 2 {
			cancel(stop)
		}
		return from(data, len(p))(p, off)
	}, cut(data, int64(len(data))))
	if !errors.Is(err, stop) || kept != nil || reads != 2 {
		t.Errorf("kept %v, %v after %d reads", kept, err, reads)
	}
}

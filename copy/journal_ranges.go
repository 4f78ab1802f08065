package copy

import (
	"cmp"
	"context"
	"slices"

	"github.com/zeebo/xxh3"
)

// rangeOf returns the range of p at off.
func rangeOf(p []byte, off int64) hashedRange { return hashedRange{off, int64(len(p)), xxh3.Hash(p)} }

// within says whether r is a range of a file of size bytes.
func (r hashedRange) within(size int64) bool {
	return r.off >= 0 && r.n > 0 && r.off <= size && r.n <= size-r.off
}

// sorted puts ranges in order of offset. Of several records of one range only the last stays: it was written last.
func sorted(done []hashedRange) []hashedRange {
	place := func(a, b hashedRange) int { return cmp.Or(cmp.Compare(a.off, b.off), cmp.Compare(a.n, b.n)) }
	slices.SortStableFunc(done, place)
	kept := done[:0]
	for i, r := range done {
		if i+1 == len(done) || place(r, done[i+1]) != 0 {
			kept = append(kept, r)
		}
	}
	return kept
}

// merged returns what the ranges cover: in order, apart from one another.
func merged(done []hashedRange) []extent {
	var all []extent
	for _, r := range done {
		if r.n > 0 {
			all = append(all, extent{r.off, r.off + r.n})
		}
	}
	slices.SortFunc(all, func(a, b extent) int { return cmp.Compare(a.off, b.off) })
	kept := all[:0]
	for _, e := range all {
		if last := len(kept) - 1; last >= 0 && e.off <= kept[last].end {
			kept[last].end = max(kept[last].end, e.end)
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// missing returns what of the extents is in no range of done. The extents are in order and apart, and so is the result.
func missing(extents []extent, done []hashedRange) []extent {
	have := merged(done)
	var lack []extent
	for _, e := range extents {
		for len(have) > 0 && have[0].end <= e.off {
			have = have[1:]
		}
		off := e.off
		// The last one looked at may reach into the next extent: it stays.
		for _, h := range have {
			if h.off >= e.end {
				break
			}
			if off < h.off {
				lack = append(lack, extent{off, h.off})
			}
			off = h.end
		}
		if off < e.end {
			lack = append(lack, extent{off, e.end})
		}
	}
	return lack
}

const rehashBuffer = 256 * kib

// rehash returns those of the ranges that read gives the bytes of, by their sums; those without one are not kept. read is
// as pread(2): it may return less than was asked for, and 0 bytes at the end. A range that cannot be read is not kept; the
// only error is that ctx was cancelled.
func rehash(
	ctx context.Context, read func(p []byte, off int64) (int, error), done []hashedRange,
) (kept []hashedRange, err error) {
	longest := int64(0)
	for _, r := range done {
		longest = max(longest, r.n)
	}
	buf := make([]byte, min(longest, rehashBuffer))
	for _, r := range done {
		if r.sum == 0 {
			continue
		}
		sum, whole := hashRange(ctx, read, r, buf)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if whole && sum == r.sum {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// hashRange hashes the bytes at r's place. It returns false if they could not all be read.
func hashRange(
	ctx context.Context, read func(p []byte, off int64) (int, error), r hashedRange, buf []byte,
) (sum uint64, whole bool) {
	var h xxh3.Hasher
	for off, end := r.off, r.off+r.n; off < end; {
		n, err := read(buf[:min(int64(len(buf)), end-off)], off)
		if n > 0 {
			_, _ = h.Write(buf[:n]) // never fails
			off += int64(n)
		}
		if ctx.Err() != nil || off < end && (err != nil || n <= 0) {
			return 0, false
		}
	}
	return h.Sum64(), true
}

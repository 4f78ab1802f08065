package copy

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// sampleJournal returns a journal's bytes and the ranges that were written to it.
func sampleJournal(size int64, ranges []hashedRange) []byte {
	h := header{
		nonce: 77, boot: "6d5b8f0c-9f0e-4d53-a8c5-0f8f3f3d8a11",
		src: identity{1, 2, size, 3, 4}, part: partID{5, 6, 7, 8},
	}
	b := h.encode()
	for _, r := range ranges {
		var record [recordLen]byte
		encodeRecord(&record, r, h.sum(), int64(len(b)))
		b = append(b, record[:]...)
	}
	return b
}

// whole is how many records the first n bytes of a journal hold.
func whole(n int) int { return max(n-headerLen, 0) / recordLen }

// intactLen is how many bytes torn and data have in common at their start.
func intactLen(torn, data []byte) int {
	for i := range min(len(torn), len(data)) {
		if torn[i] != data[i] {
			return i
		}
	}
	return min(len(torn), len(data))
}

func TestJournalTornAnywhere(t *testing.T) {
	path, part, src := journaled(t, journalSize)
	j, _ := mustOpenJournal(t, path, src, part)
	mustAdd(t, j, someRanges...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// After the cut there is nothing, or what a file system may leave there.
	for _, tail := range [][]byte{nil, make([]byte, 3*recordLen), bytes.Repeat([]byte{0xff}, 2*recordLen), data[headerLen:]} {
		for cut := range data {
			torn := append(slices.Clone(data[:cut]), tail...)
			write(t, path, torn)
			j, state := mustOpenJournal(t, path, src, part)
			intact := intactLen(torn, data) // the tail may happen to go on like what was cut off
			k := whole(intact)
			sameRanges(t, state.done, someRanges[:k])
			if intact < headerLen && state.why == "" {
				t.Fatalf("cut at %d, no reason is given", cut)
			}
			again := hashedRange{500, 7, 99}
			mustAdd(t, j, again)
			_, state = mustOpenJournal(t, path, src, part)
			sameRanges(t, state.done, append(slices.Clone(someRanges[:k]), again))
			_ = j.close()
		}
	}
}

// No flipped bit makes a range that was not written, and none before it is lost.
func TestJournalFlippedAnywhere(t *testing.T) {
	data := sampleJournal(journalSize, someRanges)
	if _, done, err := readJournal(bytes.NewReader(data)); err != nil || !slices.Equal(done, someRanges) {
		t.Fatalf("got %v, %v", done, err)
	}
	for i := range data {
		for _, mask := range []byte{1, 2, 4, 8, 16, 32, 64, 128, 255} {
			data[i] ^= mask
			_, done, err := readJournal(bytes.NewReader(data))
			data[i] ^= mask
			if (err != nil) != (i < headerLen) || !slices.Equal(done, someRanges[:whole(i)]) {
				t.Fatalf("byte %d ^ %#x: got %v, %v", i, mask, done, err)
			}
		}
	}
}

// Right records in the wrong place, or of another journal, are not this journal's.
func TestJournalMisplacedRecords(t *testing.T) {
	data := sampleJournal(journalSize, someRanges)
	at := func(i int) []byte { return data[headerLen+i*recordLen : headerLen+(i+1)*recordLen] }
	for i := range someRanges {
		for k := range someRanges {
			if i == k {
				continue
			}
			moved := slices.Clone(data)
			copy(moved[headerLen+i*recordLen:], at(k))
			_, done, err := readJournal(bytes.NewReader(moved))
			if err != nil || !slices.Equal(done, someRanges[:i]) {
				t.Errorf("record %d at %d: got %v, %v", k, i, done, err)
			}
		}
	}
	other := sampleJournal(journalSize+1, someRanges)
	_, done, err := readJournal(bytes.NewReader(append(other[:headerLen:headerLen], data[headerLen:]...)))
	if err != nil || len(done) != 0 {
		t.Errorf("records of another journal: got %v, %v", done, err)
	}
}

func TestJournalOtherVersion(t *testing.T) {
	data := sampleJournal(journalSize, someRanges)
	data[8]++
	if _, _, err := readJournal(bytes.NewReader(data)); err != errJournalVersion {
		t.Errorf("got %v", err)
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, i := rapid.Uint64(), rapid.Int64()
		h := header{
			u.Draw(t, "nonce"), rapid.StringMatching(`[0-9a-f-]{0,40}`).Draw(t, "boot"),
			identity{u.Draw(t, ""), u.Draw(t, ""), i.Draw(t, ""), i.Draw(t, ""), i.Draw(t, "")},
			partID{u.Draw(t, ""), u.Draw(t, ""), i.Draw(t, ""), u.Draw(t, "")},
		}
		b := h.encode()
		got, err := decodeHeader(b)
		if len(b) != headerLen || err != nil || got != h {
			t.Fatalf("%d bytes, got %+v, %v, want %+v", len(b), got, err, h)
		}
	})
}

// FuzzJournal reads journals that were damaged in any way: all that is accepted was written, in that order.
func FuzzJournal(f *testing.F) {
	long := make([]hashedRange, 40)
	for i := range long {
		long[i] = hashedRange{int64(i * 10), 10, uint64(i) * 0x9e3779b97f4a7c15}
	}
	samples := [][]hashedRange{nil, someRanges[:1], someRanges, long}
	written := map[string][]hashedRange{}
	for i, ranges := range samples {
		data := sampleJournal(journalSize+int64(i), ranges)
		written[string(data[:headerLen])] = ranges
		f.Add(data)
		f.Add(data[:len(data)/2])
		f.Add(append(data, data[headerLen:]...))
		f.Add(append(slices.Clone(data), make([]byte, 50)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, done, err := readJournal(bytes.NewReader(data))
		if err != nil {
			if len(done) != 0 {
				t.Fatalf("%v with %v", err, done)
			}
			return
		}
		if !bytes.Equal(h.encode(), data[:headerLen]) {
			t.Fatal("a header that is not what it would be written as")
		}
		was, ok := written[string(data[:headerLen])]
		if !ok {
			t.Fatalf("accepted a header that nobody wrote: %+v", h)
		}
		if len(done) > len(was) || !slices.Equal(done, was[:len(done)]) {
			t.Fatalf("accepted %v, written were %v", done, was)
		}
	})
}

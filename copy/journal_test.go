package copy

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const journalSize = 1000 // bytes of the source and the part of the tests here

// journaled is a part file of size bytes and the place of its journal.
func journaled(t testing.TB, size int64) (path string, part *os.File, src identity) {
	t.Helper()
	dir := t.TempDir()
	part, err := os.Create(filepath.Join(dir, ".x"+partSuffix))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = part.Close() })
	if err := part.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return journalPath(filepath.Join(dir, "x"), false), part, identity{1, 2, size, 3, 4}
}

func mustOpenJournal(t testing.TB, path string, src identity, part *os.File) (*journal, resumeState) {
	t.Helper()
	j, state, err := openJournal(path, path, src, part)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.close() })
	return j, state
}

func mustAdd(t testing.TB, j *journal, ranges ...hashedRange) {
	t.Helper()
	for _, r := range ranges {
		if err := j.add(r); err != nil {
			t.Fatal(err)
		}
	}
}

// sameRanges fails the test if got is not want, in any order.
func sameRanges(t testing.TB, got, want []hashedRange) {
	t.Helper()
	place := func(a, b hashedRange) int {
		return cmp.Or(cmp.Compare(a.off, b.off), cmp.Compare(a.n, b.n), cmp.Compare(a.sum, b.sum))
	}
	if !slices.Equal(slices.SortedFunc(slices.Values(got), place), slices.SortedFunc(slices.Values(want), place)) {
		t.Fatalf("got ranges %v, want %v", got, want)
	}
}

var someRanges = []hashedRange{{0, 100, 11}, {900, 100, 12}, {300, 1, 13}, {100, 200, 14}}

func TestJournalResumes(t *testing.T) {
	path, part, src := journaled(t, 0)
	_, state := mustOpenJournal(t, path, src, part)
	if len(state.done) != 0 || state.why != "" {
		t.Fatalf("a new journal has %v", state)
	}
	if err := part.Truncate(journalSize); err != nil {
		t.Fatal(err)
	}
	src.size = journalSize
	j, state := mustOpenJournal(t, path, src, part) // the source is another one now
	if len(state.done) != 0 || state.why == "" {
		t.Fatalf("of another source: %+v", state)
	}
	mustAdd(t, j, someRanges[:2]...)
	if err := j.sync(); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	j, state = mustOpenJournal(t, path, src, part)
	sameRanges(t, state.done, someRanges[:2])
	mustAdd(t, j, someRanges[2:]...)
	j, state = mustOpenJournal(t, path, src, part)
	sameRanges(t, state.done, someRanges)
	if wantTrust := bootID() != ""; state.trusted != wantTrust {
		t.Errorf("trusted %v", state.trusted)
	}
	if err := j.remove(); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Dir(path), filepath.Base(part.Name()))
}

// What a journal was begun with decides whether it can be gone on with.
func TestJournalBelongs(t *testing.T) {
	if bootID() == "" {
		t.Skip("nothing is trusted here")
	}
	const other, trusted, hashed = "other", "trusted", "hashed"
	for name, c := range map[string]struct {
		change func(h *header) // of what it was begun with
		want   string          // the reason for starting over, trusted or hashed
	}{
		"same":                      {func(*header) {}, trusted},
		"source's size":             {func(h *header) { h.src.size++ }, "source has changed"},
		"source's mtime":            {func(h *header) { h.src.mtime++ }, "source has changed"},
		"source's ctime":            {func(h *header) { h.src.ctime++ }, "source has changed"},
		"source's inode":            {func(h *header) { h.src.ino++ }, "source has changed"},
		"source's device":           {func(h *header) { h.src.dev++ }, "source has changed"},
		"part's inode":              {func(h *header) { h.part.ino++ }, "another part file"},
		"part's birth":              {func(h *header) { h.part.born-- }, "another part file"},
		"part's device":             {func(h *header) { h.part.dev++ }, "another part file"},
		"mount":                     {func(h *header) { h.part.mount++ }, hashed},
		"mount, so part's device":   {func(h *header) { h.part.mount++; h.part.dev++ }, hashed},
		"mount and part's inode":    {func(h *header) { h.part.mount++; h.part.ino++ }, "another part file"},
		"mount and source's device": {func(h *header) { h.part.mount++; h.src.dev++ }, "source has changed"},
		"boot":                      {func(h *header) { h.boot = other }, hashed},
		"boot unknown":              {func(h *header) { h.boot = "" }, hashed},
		"boot, so both devices":     {func(h *header) { h.boot = other; h.src.dev++; h.part.dev++ }, hashed},
		"boot and source's inode":   {func(h *header) { h.boot = other; h.src.ino++ }, "source has changed"},
		"boot and part's birth":     {func(h *header) { h.boot = other; h.part.born-- }, "another part file"},
	} {
		t.Run(name, func(t *testing.T) {
			path, part, src := journaled(t, journalSize)
			j, _ := mustOpenJournal(t, path, src, part)
			c.change(&j.head)
			if err := j.restart(someRanges); err != nil {
				t.Fatal(err)
			}
			j, state := mustOpenJournal(t, path, src, part)
			if c.want == trusted || c.want == hashed {
				sameRanges(t, state.done, someRanges)
				if state.trusted != (c.want == trusted) || state.why != "" {
					t.Errorf("got %+v", state)
				}
				return
			}
			if len(state.done) != 0 || !strings.Contains(state.why, c.want) {
				t.Errorf("got %+v, want to hear: %s", state, c.want)
			}
			mustAdd(t, j, someRanges[0])
			_, state = mustOpenJournal(t, path, src, part)
			sameRanges(t, state.done, someRanges[:1])
		})
	}
}

// Nothing becomes trusted by being opened after a boot, only by restart.
func TestJournalAfterBoot(t *testing.T) {
	if bootID() == "" {
		t.Skip("nothing is trusted here")
	}
	path, part, src := journaled(t, journalSize)
	j, _ := mustOpenJournal(t, path, src, part)
	j.head.boot = "before"
	if err := j.restart(someRanges[:2]); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		j, state := mustOpenJournal(t, path, src, part)
		if state.trusted || len(state.done) < 2 {
			t.Fatalf("got %+v", state)
		}
		mustAdd(t, j, someRanges[2])
	}
	j, _ = mustOpenJournal(t, path, src, part)
	if err := j.restart(someRanges[1:2]); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, j, someRanges[3])
	_, state := mustOpenJournal(t, path, src, part)
	sameRanges(t, state.done, []hashedRange{someRanges[1], someRanges[3]})
	if !state.trusted {
		t.Error("not trusted after restart")
	}
}

// A journal of a part file that has lost its end says nothing that still holds, unless the machine has stopped.
func TestJournalPartShorter(t *testing.T) {
	if bootID() == "" {
		t.Skip("nothing is trusted here")
	}
	for boot, want := range map[string]int{bootID(): 0, "before": 3} {
		path, part, src := journaled(t, journalSize)
		j, _ := mustOpenJournal(t, path, src, part)
		j.head.boot = boot
		if err := j.restart(someRanges); err != nil {
			t.Fatal(err)
		}
		if err := part.Truncate(journalSize - 1); err != nil {
			t.Fatal(err)
		}
		_, state := mustOpenJournal(t, path, src, part)
		if len(state.done) != want || state.trusted || (state.why == "") != (want > 0) {
			t.Errorf("boot %s: got %+v", boot, state)
		}
		// Long enough again is not as it was.
		if err := part.Truncate(journalSize); err != nil {
			t.Fatal(err)
		}
		if _, state = mustOpenJournal(t, path, src, part); state.trusted && len(state.done) > 0 {
			t.Errorf("boot %s: trusted are %v", boot, state.done)
		}
	}
}

func TestJournalNotThere(t *testing.T) {
	path, part, src := journaled(t, journalSize)
	if _, state := mustOpenJournal(t, path, src, part); !strings.Contains(state.why, "no journal") {
		t.Errorf("a part file of %d bytes without a journal: %+v", journalSize, state)
	}
	_, state := mustOpenJournal(t, path, src, part)
	if state.why != "" || len(state.done) != 0 {
		t.Errorf("a journal without records: %+v", state)
	}
}

func TestJournalOverlaps(t *testing.T) {
	path, part, src := journaled(t, journalSize)
	j, _ := mustOpenJournal(t, path, src, part)
	mustAdd(t, j, hashedRange{0, 100, 1}, hashedRange{50, 100, 2}, hashedRange{0, 100, 3}, hashedRange{0, 10, 4})
	_, state := mustOpenJournal(t, path, src, part)
	want := []hashedRange{{0, 10, 4}, {0, 100, 3}, {50, 100, 2}}
	if !slices.Equal(state.done, want) {
		t.Errorf("got %v, want %v", state.done, want)
	}
}

func TestJournalBounds(t *testing.T) {
	path, part, src := journaled(t, journalSize)
	if err := part.Truncate(2 * journalSize); err != nil {
		t.Fatal(err)
	}
	bad := []hashedRange{
		{-1, 10, 0}, {0, 0, 0}, {0, -1, 0}, {0, journalSize + 1, 0}, {journalSize, 1, 0}, {journalSize - 1, 2, 0},
		{1, 1<<63 - 1, 0}, {1<<63 - 1, 1, 0}, {1<<63 - 1, 1<<63 - 1, 0}, {-1 << 63, 1<<63 - 1, 0},
	}
	for _, r := range bad {
		j, _ := mustOpenJournal(t, path, src, part)
		if err := j.add(r); err == nil {
			t.Errorf("%v was added to a source of %d bytes", r, journalSize)
		}
		// The same from a writer that is not careful.
		if err := j.restart([]hashedRange{someRanges[0], r, someRanges[1]}); err != nil {
			t.Fatal(err)
		}
		_, state := mustOpenJournal(t, path, src, part)
		sameRanges(t, state.done, someRanges[:1])
	}
}

// A record that could not be written is as if it had never been tried.
func TestJournalWriteFails(t *testing.T) {
	path, part, src := journaled(t, journalSize)
	j, _ := mustOpenJournal(t, path, src, part)
	mustAdd(t, j, someRanges[0])
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = readOnly.Close() }()
	good := j.f
	j.f = readOnly
	if err := j.add(someRanges[1]); err == nil {
		t.Error("added to what cannot be written")
	}
	j.f = good
	// Half of it got there.
	if _, err := j.f.WriteAt([]byte(strings.Repeat("?", recordLen/2)), j.end); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, j, someRanges[2:]...)
	_, state := mustOpenJournal(t, path, src, part)
	sameRanges(t, state.done, append(slices.Clone(someRanges[:1]), someRanges[2:]...))
}

func TestJournalManyWriters(t *testing.T) {
	const writers, each = 8, 300
	path, part, src := journaled(t, writers*each)
	j, _ := mustOpenJournal(t, path, src, part)
	var want []hashedRange
	var wg sync.WaitGroup
	for w := range writers {
		for i := range each {
			want = append(want, hashedRange{int64(w*each + i), 1, uint64(i)})
		}
		mine := want[w*each:]
		wg.Go(func() {
			for _, r := range mine {
				if err := j.add(r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	_, state := mustOpenJournal(t, path, src, part)
	sameRanges(t, state.done, want)
	if info, err := os.Stat(path); err != nil || info.Size() != headerLen+writers*each*recordLen {
		t.Errorf("the journal has %d bytes, %v", info.Size(), err)
	}
}

func TestJournalOfItself(t *testing.T) {
	path, part, _ := journaled(t, journalSize)
	write(t, path, []byte("precious"))
	m, err := statPath(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := openJournal(path, path, identityOf(m), part); err == nil || !strings.Contains(err.Error(), "source is the journal") {
		t.Errorf("got %v", err)
	}
	same(t, path, []byte("precious"))
}

func TestJournalPath(t *testing.T) {
	seen := map[string]string{}
	for _, c := range []struct {
		name   string
		hashed bool
	}{
		{"x", false}, {"x", true}, {strings.Repeat("y", 241), false}, {strings.Repeat("y", 242), false},
		{strings.Repeat("y", 243), false}, {strings.Repeat("y", 255), false}, {strings.Repeat("y", 255), true},
	} {
		got := journalPath(filepath.Join("d", c.name), c.hashed)
		dir, name := filepath.Split(got)
		if filepath.Clean(dir) != "d" || len(name) > maxName || name[0] != '.' || !strings.HasSuffix(name, journalSuffix) {
			t.Errorf("%d bytes: %s", len(c.name), got)
		}
		if plain := !c.hashed && len(c.name) <= 241; plain != (name == "."+c.name+journalSuffix) {
			t.Errorf("%d bytes, hashed %v: %s", len(c.name), c.hashed, got)
		}
		if of, ok := seen[got]; ok && of != c.name {
			t.Errorf("%s is of two names", got)
		}
		seen[got] = c.name
	}
}

func BenchmarkJournalAdd(b *testing.B) {
	path, part, src := journaled(b, 1<<40)
	j, _ := mustOpenJournal(b, path, src, part)
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if err := j.add(hashedRange{i, 1, 7}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJournalRecord is what add costs but for the system call.
func BenchmarkJournalRecord(b *testing.B) {
	var record [recordLen]byte
	for i := int64(0); b.Loop(); i++ {
		encodeRecord(&record, hashedRange{i, 1, 7}, 42, i)
	}
}

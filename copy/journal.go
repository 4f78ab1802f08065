package copy

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// journal remembers which ranges of a part file hold their bytes, so that a later run need not copy them again. It lies
// beside the part file, and belongs to whoever has the lock on that: it has none of its own.
//
// What makes a record true is the order of writes, which is up to the caller:
//
//   - A range is added after the write(2) of its bytes has returned. The kernel has them then, and a process that is
//     killed loses nothing. A machine that stops may lose the bytes and keep the record: after another boot, or mount,
//     every range is hashed again before it counts ([rehash]).
//   - With --fsync the part file is synced, then the ranges are added, then the journal is synced. Then a record that
//     is there tells the truth after a power cut as well; it is hashed again all the same.
//   - Whoever takes bytes away from a part file that stays (truncates it, copies from the start) first calls restart or
//     removes the journal. Otherwise the next run would trust ranges that are no longer there.
type journal struct {
	f      *os.File
	path   string // for messages
	at     string // where it is found: the path, or one through an open directory
	unlink func() error
	head   header // as restart would write it

	mu     sync.Mutex
	seed   uint64 // of the records' checksums
	end    int64  // where the next record goes; what stands behind it does not count
	record [recordLen]byte
}

// resumeState is what an earlier run has left.
type resumeState struct {
	// done are the ranges that were copied, by offset, inside the source's size and the part's. They may overlap.
	done []hashedRange
	// trusted says that the bytes are there. If it is false they may not be: only those that rehash keeps count, and
	// restart makes the journal trusted from then on.
	trusted bool
	// why says, if there was a journal, or a part file without one, why it is of no use: the copy starts over.
	why string
}

// hashedRange is n bytes from off with their XXH3 sum. The sum is 0 where nobody has seen the bytes: such a range cannot
// be checked, nor can the one in 2^64 that really has this sum.
type hashedRange struct {
	off, n int64
	sum    uint64
}

const journalSuffix = ".pace-journal"

// journalName returns the name of the journal of a destination's part file. With hashed set, or for a name that would be
// too long, a hash stands for the name, as in that of the part file.
func journalName(name string, hashed bool) string {
	if hashed || len(".")+len(name)+len(journalSuffix) > maxName {
		sum := sha256.Sum256([]byte(name))
		name = fmt.Sprintf("%x", sum[:hashedLen])
	}
	return "." + name + journalSuffix
}

// journalPath is journalName for a path.
func journalPath(dst string, hashed bool) string {
	dir, name := filepath.Split(dst)
	return dir + journalName(name, hashed)
}

// removeJournal removes the journal at path, if there is one.
func removeJournal(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// openJournal opens or begins the journal at path, for what beginJournal says. In a tree path leads through an open
// directory and says nothing to the user: messages name shown.
func openJournal(path, shown string, src identity, part *os.File) (*journal, resumeState, error) {
	f, err := openOwn(path, shown)
	if err != nil {
		return nil, resumeState{}, err
	}
	j, state, err := beginJournal(f, shown, func() error { return removeJournal(path) }, src, part)
	if err == nil {
		j.at = path
	}
	return j, state, err
}

// beginJournal takes over f, opened for reading and writing without following symlinks or waiting for a fifo, as the
// journal of a part file that is made from src. shown is its path for messages, and unlink removes it. If it fails f is closed.
//
// The part file must be locked, and of the size at which it was found: that is what the journal is held against. If no
// ranges are done the journal is empty afterwards, and the part file must be emptied too.
func beginJournal(
	f *os.File, shown string, unlink func() error, src identity, part *os.File,
) (*journal, resumeState, error) {
	j := &journal{f: f, path: shown, at: shown, unlink: unlink}
	state, err := j.begin(src, part)
	if err != nil {
		_ = f.Close()
		return nil, resumeState{}, err
	}
	return j, state, nil
}

// begin takes over what the file holds if it is of any use, and begins anew if not.
func (j *journal) begin(src identity, part *os.File) (resumeState, error) {
	own, err := statFile(j.f)
	if err != nil {
		return resumeState{}, fmt.Errorf("cannot read %s: %w", j.path, because(err))
	}
	if identityOf(own).sameFile(src) {
		return resumeState{}, usagef("the source is the journal %s", j.path)
	}
	found, err := statFile(part)
	if err == nil {
		j.head, err = newHeader(src, part)
	}
	if err != nil {
		return resumeState{}, fmt.Errorf("cannot begin %s: %w", j.path, because(err))
	}
	state := j.resume(own.size, found.size)
	if len(state.done) == 0 {
		return state, j.restart(nil)
	}
	if err := j.f.Truncate(j.end); err != nil {
		return resumeState{}, fmt.Errorf("cannot write %s: %w", j.path, because(err))
	}
	return state, nil
}

// resume reads the journal, of size bytes, of a part file of partSize.
func (j *journal) resume(size, partSize int64) resumeState {
	if size == 0 {
		if partSize > 0 {
			return resumeState{why: "there is no journal of what was copied before"}
		}
		return resumeState{}
	}
	old, done, err := readJournal(io.NewSectionReader(j.f, 0, size))
	if err != nil {
		return resumeState{why: err.Error()}
	}
	sameBoot := old.boot != "" && old.boot == j.head.boot
	trusted := sameBoot && old.part.mount == j.head.part.mount
	switch {
	case !old.part.is(j.head.part, trusted):
		return resumeState{why: "its journal is of another part file"}
	case !old.src.is(j.head.src, sameBoot):
		return resumeState{why: "the source has changed since"}
	}
	// The old header stays in force until restart: as long as its boot is not this one, nothing is trusted.
	j.seed, j.end = old.sum(), headerLen+int64(len(done))*recordLen
	all := len(done)
	done = slices.DeleteFunc(done, func(r hashedRange) bool { return r.off+r.n > partSize })
	// A machine that stopped may have lost the end of the part file. Otherwise someone has cut it off, and what came
	// back since is not what was written.
	if len(done) < all && (trusted || len(done) == 0) {
		return resumeState{why: "the part file is shorter than its journal says"}
	}
	return resumeState{done: sorted(done), trusted: trusted}
}

// restart makes the journal one of this boot that holds kept and nothing else. If it is interrupted the journal holds
// some of them.
func (j *journal) restart(kept []hashedRange) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	// With another number all that stands in the file is void at once.
	j.head.nonce = rand.Uint64()
	j.seed = j.head.sum()
	w := bufio.NewWriterSize(io.NewOffsetWriter(j.f, 0), 64*kib)
	_, err := w.Write(j.head.encode())
	j.end = headerLen
	for _, r := range kept {
		encodeRecord(&j.record, r, j.seed, j.end)
		j.end += recordLen
		if err == nil {
			_, err = w.Write(j.record[:])
		}
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = j.f.Truncate(j.end)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", j.path, because(err))
	}
	return nil
}

// add notes that the bytes of r are in the part file. It may be called by many goroutines at a time. A record that
// cannot be written whole leaves the journal as it was: the next one takes its place.
func (j *journal) add(r hashedRange) error {
	if !r.within(j.head.src.size) {
		return fmt.Errorf("cannot write %s: no %d bytes at %d in a source of %d", j.path, r.n, r.off, j.head.src.size)
	}
	// The kernel lets only one write at a time into a file; waiting here instead keeps the end of the file known.
	j.mu.Lock()
	defer j.mu.Unlock()
	encodeRecord(&j.record, r, j.seed, j.end)
	if _, err := j.f.WriteAt(j.record[:], j.end); err != nil {
		return fmt.Errorf("cannot write %s: %w", j.path, because(err))
	}
	j.end += recordLen
	return nil
}

// sync returns when what was added would outlive a power cut. The name of a new journal does so only when its folder
// has been synced too.
func (j *journal) sync() error {
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("cannot sync %s: %w", j.path, because(err))
	}
	return nil
}

// close leaves the journal to a later run.
func (j *journal) close() error {
	if err := j.f.Close(); err != nil {
		return fmt.Errorf("cannot close %s: %w", j.path, because(err))
	}
	return nil
}

// remove closes and removes the journal. Its time is after the part file has got its final name and before that is
// unlocked. Before the rename, a kill in between would cost the whole copy; after the unlock, it might be another run's.
func (j *journal) remove() error {
	mine := j.mine()
	_ = j.f.Close() // nobody will read it
	if !mine {
		return nil
	}
	if err := j.unlink(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove %s: %w", j.path, because(err))
	}
	return nil
}

// mine says whether what has the journal's name is still this journal. As soon as the part file has another name, or has
// lost its own, the next run may begin one here.
func (j *journal) mine() bool {
	open, err1 := j.f.Stat()
	named, err2 := os.Lstat(j.at)
	if err1 != nil || err2 != nil || !os.SameFile(open, named) {
		return false
	}
	head := make([]byte, headerLen)
	if _, err := j.f.ReadAt(head, 0); err != nil {
		return false
	}
	h, err := decodeHeader(head)
	return err == nil && h.sum() == j.seed
}

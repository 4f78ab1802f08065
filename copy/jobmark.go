package copy

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"time"
)

const jobSuffix = ".pace-job"

// jobMark is a file that a run leaves in a folder which was there before, for as long as it copies a tree into that. A run
// that is killed leaves it for good: the next one of the same source and options then knows which files were finished,
// because only those have the source's size and time and were made later than the mark.
//
// It holds what a growing folder's note holds, and nothing of single files, so that it costs one file a tree. Time of
// birth is what counts: no call sets it, and the copier never writes into a file that was there.
type jobMark struct {
	f       *os.File
	dir     *dir
	name    string
	id      partID
	resumed bool // an earlier run has begun
}

// beginMark makes or takes over the mark of the tree whose root is n. It returns nil where none is of use: it can only
// save work.
func (n *node) beginMark(ctx context.Context) *jobMark {
	t := n.tree
	if n.dst == nil || n.made || t.DryRun || t.NoResume || t.Update || t.NoClobber || t.Checksum {
		return nil
	}
	what, when := n.noteOf()
	text := "job of " + what + when
	sum := sha256.Sum256(fmt.Append(nil, n.meta.ino)) // the same for other options: their mark is replaced
	m := &jobMark{dir: n.dst, name: fmt.Sprintf(".%x%s", sum[:hashedLen], jobSuffix)}
	if n.src.has(m.name) {
		return nil
	}
	for range 2 {
		m.resumed = n.dst.has(m.name)
		if !m.open(ctx) {
			return nil
		}
		buf := make([]byte, noteMax)
		count, _ := m.f.ReadAt(buf, 0)
		switch {
		case m.resumed && string(buf[:count]) == text:
			t.Log.Warn("resuming", "item", t.dst)
			return m
		case m.resumed:
			m.end() // of another boot or other options: one that is born now is needed
		default:
			if _, err := m.f.WriteAt([]byte(text), 0); err == nil {
				return m
			}
			m.end()
			return nil
		}
	}
	return nil
}

// markGrace is how long a locked mark is waited for: the ring of a killed run may keep its files open for a moment.
const markGrace = time.Second

// open opens the mark. It returns false if it is of no use, as without a time of birth, or another run's.
func (m *jobMark) open(ctx context.Context) bool {
	f, err := openOwn(m.dir.pathOf(m.name), m.name)
	if err != nil {
		return false
	}
	m.f = f
	for start := time.Now(); !lockFree(f); {
		if time.Since(start) > markGrace || !pause(ctx, 10*time.Millisecond) {
			_ = f.Close()
			return false
		}
	}
	if m.id, err = partIDOf(f); err != nil || m.id.born == 0 {
		m.end()
		return false
	}
	return true
}

// end removes the mark. A nil mark has nothing to remove.
func (m *jobMark) end() {
	if m == nil || m.f == nil {
		return
	}
	_ = m.dir.remove(m.name)
	m.close()
}

// close leaves the mark to the next run.
func (m *jobMark) close() {
	if m != nil && m.f != nil {
		_ = m.f.Close()
		m.f = nil
	}
}

// finished says whether an earlier run of this job has copied f, of which the destination's file says now.
func (f *file) finished(now meta) bool {
	mark := f.node.tree.root.mark
	if mark == nil || !mark.resumed || now.dev != mark.id.dev || !f.seemsLeft(now) {
		return false
	}
	out, err := f.to.dir.open(f.to.name)
	if err != nil {
		return false
	}
	defer func() { _ = out.Close() }()
	id, err := partIDOf(out)
	return err == nil && id.ino == now.ino && id.mount == mark.id.mount && id.born > mark.id.born
}

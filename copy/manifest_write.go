package copy

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"pace/limiter/progress"
)

// manifestAhead is how many files may be hashed before the one whose line is due: it bounds the lines kept in memory.
const manifestAhead = 4096

// WriteManifest writes to w one line for each regular file in the tree o.Source, as sha256sum does with o.Hash set to
// [HashSHA256]: names are relative to the tree and sorted folder by folder, in every mode. If o.Source is a file, its
// name alone is written. Links, devices and the like have no hash: they count as skipped. o.Dest, o.ChunkSize and
// o.Archive do not matter: each file is hashed from its start to its end, many files at once.
//
// Errors and the Report are those of [Verify]; an error of w ends the run.
func WriteManifest(ctx context.Context, w io.Writer, o VerifyOptions) (Report, error) {
	v := newVerifier(o)
	err := v.check()
	if err == nil {
		err = v.list(ctx, w)
	}
	return v.report(), err
}

// manifestJob is one file to be hashed.
type manifestJob struct {
	verifyEntry
	path  string
	place int64 // of its line
}

// manifestFeed turns a tree into jobs.
type manifestFeed struct {
	*verifier
	walk  verifyWalk
	lone  *manifestJob // the operand, if it is a file
	lines *manifestLines
}

func (v *verifier) list(ctx context.Context, w io.Writer) error {
	info, err := os.Stat(v.Source)
	if err != nil {
		return cannotRead(v.Source, err)
	}
	f := &manifestFeed{verifier: v, walk: verifyWalk{filter: v.Filter, omit: v.Omit}, lines: newManifestLines(w)}
	switch mode := info.Mode(); {
	case mode.IsDir():
		if err := f.walk.enterRoots(v.Source, ""); err != nil {
			return err
		}
		defer f.walk.close()
	case mode.IsRegular():
		e := verifyEntry{rel: filepath.Base(v.Source), src: info}
		f.lone = &manifestJob{verifyEntry: e, path: v.Source}
	default:
		return fmt.Errorf("cannot read %s: it is a %s", v.Source, typeText(mode))
	}
	err = each(ctx, v, f.next, f.hash)
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	return err
}

// next returns the next file. It waits while too many lines wait for an earlier one.
func (f *manifestFeed) next(ctx context.Context) (manifestJob, error) {
	for {
		var j manifestJob
		var err error
		if f.lone != nil {
			j, f.lone = *f.lone, nil
		} else if j, err = f.nextInTree(); err == io.EOF {
			f.Progress.SetTotalKnown()
			return j, err
		}
		switch {
		case err != nil:
			f.Progress.Grow(1, 0)
			f.failed(f.sourcePath(j.rel), err)
			continue
		case !j.src.Mode().IsRegular():
			f.Progress.ItemSkipped()
			continue
		}
		if j.place, err = f.lines.reserve(ctx); err != nil {
			return j, err
		}
		f.Progress.Grow(1, j.src.Size())
		j.dir.hold()
		return j, nil
	}
}

// nextInTree returns the next name that is no folder.
func (f *manifestFeed) nextInTree() (manifestJob, error) {
	for {
		e, err := f.walk.next()
		j := manifestJob{verifyEntry: e, path: f.sourcePath(e.rel)}
		if err != nil || !e.src.IsDir() {
			return j, err
		}
		if err := f.walk.enter(e); err != nil {
			return j, err
		}
	}
}

// hash is the job. A file that cannot be hashed has no line.
func (f *manifestFeed) hash(ctx context.Context, j manifestJob) error {
	defer j.dir.release()
	var root *os.Root
	if j.dir != nil {
		root = j.dir.src
	}
	sum, err := f.hashFile(ctx, root, j.name, j.path, j.src)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && j.dir == nil:
		f.Progress.ItemFailed(j.path, err)
		return err
	case err != nil:
		f.failed(j.path, err)
		return f.lines.put(j.place, nil)
	}
	f.Progress.ItemDone()
	return f.lines.put(j.place, appendManifestLine(nil, manifestEntry{j.rel, sum}))
}

// hashFile returns the hash of a whole file that was found before.
func (v *verifier) hashFile(ctx context.Context, root *os.Root, name, path string, found fs.FileInfo) ([]byte, error) {
	f, err := openFound(root, name, path, found)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	sum, err := v.sum(ctx, f, path)
	if err == nil {
		err = stillThe(f, found, path)
	}
	return sum, err
}

// sum hashes a file from its start to its end. Each piece of a chunk's length counts as an operation.
func (v *verifier) sum(ctx context.Context, f *os.File, path string) ([]byte, error) {
	t := v.tools.take()
	defer v.tools.put(t)
	t.a.Reset()
	for off, more := int64(0), true; more; {
		op, begin := v.Progress.Begin(), off
		end := func(err error) {
			op.EndAs(ctx, progress.Did{Kind: "hash", Item: path, Offset: begin, Bytes: off - begin, Err: err})
		}
		for stop := off + v.ChunkSize; more && off < stop; {
			piece := t.buf[:min(int64(len(t.buf)), stop-off)]
			n, err := readPiece(ctx, f, piece, off)
			if err != nil {
				end(err)
				return nil, cannotRead(path, err)
			}
			_, _ = t.a.Write(piece[:n])
			v.Progress.AddBytes(int64(n))
			off += int64(n)
			more = n == len(piece)
		}
		end(nil)
	}
	return t.a.Sum(nil), nil
}

// manifestLines writes lines in the order in which their places were reserved, whenever each comes.
type manifestLines struct {
	w    io.Writer
	room chan struct{} // full: that many lines are reserved and not written
	last int64         // place reserved; used by one caller of reserve at a time

	mu      sync.Mutex
	due     int64
	waiting map[int64][]byte
}

func newManifestLines(w io.Writer) *manifestLines {
	return &manifestLines{w: w, room: make(chan struct{}, manifestAhead), due: 1, waiting: make(map[int64][]byte)}
}

func (l *manifestLines) reserve(ctx context.Context) (int64, error) {
	select {
	case l.room <- struct{}{}:
		l.last++
		return l.last, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// put gives the line of a place, nil for none, and writes what is due.
func (l *manifestLines) put(place int64, line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting[place] = line
	for {
		line, ok := l.waiting[l.due]
		if !ok {
			return nil
		}
		delete(l.waiting, l.due)
		l.due++
		<-l.room
		if _, err := l.w.Write(line); err != nil {
			return fmt.Errorf("cannot write the list: %w", err)
		}
	}
}

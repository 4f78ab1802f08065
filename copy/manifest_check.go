package copy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxManifestLine is longer than any path with all its bytes escaped.
const maxManifestLine = 1 << 20

// CheckManifest reads a list as sha256sum writes it and hashes the files that it names, relative to the folder o.Source:
// many files at once, each from its start to its end, through symlinks as sha256sum does. o.Dest, o.Filter and o.Archive
// do not matter.
//
// A file that is missing or differs is a [Difference], and a failed item; so is a line that is none. Errors and the
// Report are those of [Verify]; a list that cannot be read or has no line at all ends the run with an error.
func CheckManifest(ctx context.Context, list io.Reader, o VerifyOptions) (Report, error) {
	v := newVerifier(o)
	err := v.check()
	if err == nil {
		err = v.checkList(ctx, list)
	}
	return v.report(), err
}

func (v *verifier) checkList(ctx context.Context, list io.Reader) error {
	if info, err := os.Stat(v.Source); err != nil {
		return cannotRead(v.Source, err)
	} else if !info.IsDir() {
		return usagef("%s is no folder: the names in a list are relative to one", v.Source)
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	f := &checkFeed{verifier: v, lines: readLines(reading, list)}
	err := each(ctx, v, f.next, v.checkEntry)
	switch {
	case ctx.Err() != nil:
		return cancelled(ctx)
	case err == nil && !f.found:
		return fmt.Errorf("the list has no line with a %s hash and a name", v.Hash)
	}
	return err
}

// checkFeed turns lines into jobs.
type checkFeed struct {
	*verifier
	lines <-chan listLine
	n     int
	found bool // a line that was right
}

func (f *checkFeed) next(ctx context.Context) (manifestEntry, error) {
	for {
		var line listLine
		select {
		case line = <-f.lines:
		case <-ctx.Done():
			return manifestEntry{}, context.Cause(ctx)
		}
		if line.err == io.EOF {
			f.Progress.SetTotalKnown()
			return manifestEntry{}, io.EOF
		}
		if line.err != nil {
			return manifestEntry{}, fmt.Errorf("cannot read the list: %w", because(line.err))
		}
		f.n++
		if len(bytes.TrimSpace(line.text)) == 0 || line.text[0] == '#' {
			continue
		}
		f.Progress.Grow(1, 0)
		e, err := parseManifestLine(line.text, f.Hash)
		if err == nil {
			f.found = true
			return e, nil
		}
		f.failed(fmt.Sprintf("line %d", f.n), err)
	}
}

// listLine is a line, or why there are no more.
type listLine struct {
	text []byte
	err  error
}

// readLines reads lines ahead. A pipe may never end, and its read cannot be cancelled: then, after ctx, the goroutine
// stays behind until it returns.
func readLines(ctx context.Context, r io.Reader) <-chan listLine {
	lines := make(chan listLine, 64)
	give := func(line listLine) (taken bool) {
		select {
		case lines <- line:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		s := bufio.NewScanner(r)
		s.Buffer(nil, maxManifestLine)
		for s.Scan() {
			if !give(listLine{text: bytes.Clone(s.Bytes())}) {
				return
			}
		}
		err := s.Err()
		if err == nil {
			err = io.EOF
		}
		give(listLine{err: err})
	}()
	return lines
}

// checkEntry is the job.
func (v *verifier) checkEntry(ctx context.Context, e manifestEntry) error {
	path := filepath.FromSlash(e.name)
	if v.Source != "." && !filepath.IsAbs(path) {
		path = within(v.Source, path)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.differ(Difference{Kind: DifferenceMissing, Path: e.name, Dest: path})
		return nil
	case err != nil:
		v.failed(path, cannotRead(path, err))
		return nil
	case !info.Mode().IsRegular():
		v.failed(path, fmt.Errorf("cannot read %s: it is a %s", path, typeText(info.Mode())))
		return nil
	}
	v.Progress.Grow(0, info.Size())
	sum, err := v.hashFile(ctx, nil, "", path, info)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		v.failed(path, err)
	case !bytes.Equal(sum, e.sum):
		v.differ(Difference{Kind: DifferenceContent, Path: e.name, Dest: path, Detail: "its hash from the list"})
	default:
		v.Progress.ItemDone()
	}
	return nil
}

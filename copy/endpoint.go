package copy

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// source is one file to read, wherever it is. What it reads may come in any order, and many read it at once.
type source interface {
	// open looks for the file and says what there is. Called again, it takes the file as it is then.
	open(ctx context.Context) (found, error)
	// read returns the bytes of c, or all from its start to the end if c.n is below zero. The reader tries again itself
	// what may succeed then. It returns io.EOF when all of c was read, and never a byte of another file than open has
	// found: a [*startOverError] says that the file has to be opened, and read from its start, again.
	//
	// Read gives what has arrived, and may wait for as long as ctx lives. Who reads closes it.
	read(ctx context.Context, c chunk) io.ReadCloser
	// unchanged returns an error if what was read may be of different states of the file.
	unchanged(ctx context.Context) error
	close()
}

// found is what a source says of its file.
type found struct {
	size int64 // bytes; below zero if only reading tells
	// ranges says that any chunk can be read. Otherwise the only one is all of the file.
	ranges bool
	mode   fs.FileMode
	mtime  time.Time
	// id is what a later run recognises the same content by; nil if nothing is sure to.
	id *identity
	// name is what the file is called where it is; empty if it has no name there.
	name string
}

// wholeOf is all of a file, as far as its size is known.
func wholeOf(what found) []extent {
	if what.size <= 0 {
		return nil
	}
	return []extent{{0, what.size}}
}

// sink is where one file goes, whatever it is there. It has its name there after commit and not before, where there are
// names. Many write to it at once.
type sink interface {
	// begin makes the sink ready for what was found, and returns what of it is to be written. After an abort that keeps
	// nothing it may be called again.
	begin(ctx context.Context, what found) (need, error)
	// write writes p at an offset. It may wait for its turn, for as long as ctx lives.
	write(ctx context.Context, p []byte, off int64) error
	// commit ends a file of which all was written, size bytes. kept says that something else had its name in the meantime,
	// and is to stay.
	commit(ctx context.Context, size int64) (kept bool, err error)
	// abort ends a file that is not whole. With keep set a later run can go on with it. It returns false if what was
	// written cannot be taken back.
	abort(keep bool) bool
}

// need is what a sink wants.
type need struct {
	extents []extent // of a source with ranges: what is not there yet
	chunk   int64    // bytes that are written at once at most; 0 for any
	whole   bool     // write is given whole chunks only
}

// startOverError says that a source has to be read again from its start.
type startOverError struct {
	reason string // in words for the user
	err    error  // what to say if that does not help
}

func (e *startOverError) Error() string { return e.err.Error() }
func (e *startOverError) Unwrap() error { return e.err }

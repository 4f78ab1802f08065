package copy

import (
	"context"
	"io/fs"
)

// shelf is one source of a fleet's copy, a file or a tree, as each of its workers sees it. Paths in it have slashes, and ""
// is the source itself. Its methods may be called at the same time.
type shelf interface {
	// list calls each with what the folder rel holds, in any order. An error of each ends it.
	list(ctx context.Context, rel string, each func(shelved) error) error
	// file returns a file, to be opened by the caller. An error is one of finding it.
	file(rel string) (source, error)
	// version is what the content that a source was found with is recognised by on every machine.
	version(what found) string
	// shown is how the user knows rel.
	shown(rel string) string
	// check returns an error if the shelf is not what it was when it was opened, so that what is missing says nothing.
	check(ctx context.Context) error
	close()
}

// shelved is an entry of a folder on a shelf.
type shelved struct {
	name string
	mode fs.FileMode // its type only
	size int64       // of a regular file, as far as it is known
	rel  string      // its path, where that is not its folder's and its name
	err  error       // why it cannot be copied
}

// ground is where a fleet's copies go. Paths on it are relative to the folder that all lands in. Its methods may be called
// at the same time, and by several workers for the same path: all of them leave the same.
type ground interface {
	// mark puts the job's mark there, before the job has any item; marked returns an error if it is not there, or if this
	// machine has it for reading only. unmark takes it away at the very end, with what killed workers have left beside it.
	mark(ctx context.Context, job string) error
	marked(ctx context.Context, job string) error
	unmark(ctx context.Context) error

	// makeFolder makes a folder, and calls making just before if it is not there.
	makeFolder(ctx context.Context, rel string, making func() error) error
	// endFolder ends a folder when all in it is done: it gets what it is to have of its source, which it only has by
	// itself if made is set, and what killed workers have left in it goes.
	endFolder(ctx context.Context, rel string, made bool, from shelf, fromRel string) error
	// entry copies what is neither a folder nor a regular file.
	entry(ctx context.Context, rel string, from shelf, fromRel string) (skipped bool, err error)

	// stays says whether what is there already is to stay. Messages call from by what is shown of it.
	stays(ctx context.Context, rel, shown string, from source, what found) (bool, error)
	// small returns where a file goes that one worker copies alone. fence is called just before it has its name.
	small(rel string, from source, fence func() error) sink
	// large returns where a file goes that many copy together.
	large(rel string, from source) sharedSink
	// sync lets all that small has committed survive the end of this machine.
	sync(ctx context.Context) error

	shown(rel string) string
	close()
}

// sharedSink is one file at its destination that workers on many machines write together. One of them begins it, maybe
// again if another has died of that; all attach to it, and one of them commits it, maybe again. Many write at once.
type sharedSink interface {
	// begin makes the file ready to be written in chunks of about the size asked for. token is what the others attach by;
	// who has begun it is attached.
	begin(ctx context.Context, what found, ask int64) (token string, chunk int64, err error)
	// attach opens what was begun. whole says that write is given whole chunks only. If the file has its name already it
	// returns errWhole.
	attach(ctx context.Context, token string, what found) (whole bool, err error)
	// write writes p at an offset. The same bytes may be written there again, also by others at this moment.
	write(ctx context.Context, p []byte, off int64) error
	// sync returns when what this worker has written before survives, is what was written if that is to be verified, and is
	// there for all machines.
	sync(ctx context.Context) error
	// commit gives the file its name, when all of it was written and synced. It is attached. fence is called just before.
	// kept says that something else has its name, and is to stay.
	commit(ctx context.Context, what found, fence func() error) (kept bool, err error)
	// repair makes good what a write has changed that was on its way when its lease ended: by now the file may have its
	// name, and the bytes are right, but not the times. It is attached.
	repair()
	// abort removes what was begun. It is attached, or token says what.
	abort(ctx context.Context, token string)
	// close gives back what this worker has of it.
	close()
}

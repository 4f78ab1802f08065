package copy

import (
	"errors"
	"fmt"
	"io/fs"
)

// UsageError says that sources and destination do not go together: nothing was tried.
type UsageError struct{ msg string }

func (e *UsageError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// LockedError says that another run is copying to the same destination at this moment.
type LockedError struct {
	Dest string
	Part string // the part file that the other run holds a lock on
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("another run is copying to %s (it has locked %s)", e.Dest, e.Part)
}

// SpaceError says that there is no space for a file, before or while it is written, or for a tree, before it is copied to
// its end.
type SpaceError struct {
	Dest       string
	Need, Free int64 // bytes, or inodes; Free is below zero if it is not known
	SoFar      bool  // Need is that of what was seen of a tree, and Free what was free when it began
	Inodes     bool
}

func (e *SpaceError) Error() string {
	unit, least := "bytes", ""
	if e.Inodes {
		unit = "inodes"
	}
	if e.SoFar {
		least = "at least "
	}
	switch {
	case e.Need <= 0: // of a file whose size nobody knows
		return fmt.Sprintf("no space for %s", e.Dest)
	case e.Free < 0:
		return fmt.Sprintf("no space for %s: it needs %s%d %s", e.Dest, least, e.Need, unit)
	}
	return fmt.Sprintf("no space for %s: it needs %s%d %s and %d are free", e.Dest, least, e.Need, unit, e.Free)
}

// ChangedError says that a source did not stay the same while it was copied.
type ChangedError struct{ Source string }

func (e *ChangedError) Error() string { return e.Source + " changed while it was copied" }

// noSpace says whether err is for want of space, in either form.
func noSpace(err error) bool {
	var se *SpaceError
	return errors.As(err, &se) || outOfSpace(err)
}

// because drops the operation and the path that package os puts before an error, for messages that name both already.
func because(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

package crawl

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// stateInUse says whether an error of locking means that another process has the lock: the file is open there, shared
// with nobody.
func stateInUse(err error) bool { return errors.Is(err, windows.ERROR_SHARING_VIOLATION) }

// lockedElsewhere says whether another process has a file. Locks of this system would keep this process' own writes out
// too, so it locks nothing.
func lockedElsewhere(*os.File) bool { return false }

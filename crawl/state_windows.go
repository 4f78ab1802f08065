package crawl

import (
	"errors"

	"golang.org/x/sys/windows"
)

// stateInUse says whether an error of locking means that another process has the lock: the file is open there, shared
// with nobody.
func stateInUse(err error) bool { return errors.Is(err, windows.ERROR_SHARING_VIOLATION) }

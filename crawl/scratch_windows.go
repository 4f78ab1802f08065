package crawl

import (
	"errors"
	"os"
)

// openScratch opens a temporary file, which is gone after closeScratch. If the process is killed before, it stays: a file
// that is open cannot be removed here.
func openScratch(pattern string) (*os.File, error) { return os.CreateTemp("", pattern) }

func closeScratch(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }

//go:build unix

package crawl

import (
	"errors"
	"os"
)

// openScratch opens a temporary file that has no name any more (unlink(2)), so that nothing of it is left however the
// process ends. It is closed by closeScratch.
func openScratch(pattern string) (*os.File, error) {
	f, err := os.CreateTemp("", pattern)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func closeScratch(f *os.File) error { return f.Close() }

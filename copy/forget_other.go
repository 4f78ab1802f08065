//go:build !linux

package copy

import "os"

// forget does nothing: no call that all of these systems have drops pages.
func forget(*os.File) {}

// punch writes the zeros.
func punch(f *os.File, e extent) error {
	for off := e.off; off < e.end; off += holeSize {
		if _, err := f.WriteAt(zeros[:min(holeSize, e.end-off)], off); err != nil {
			return err
		}
	}
	return nil
}

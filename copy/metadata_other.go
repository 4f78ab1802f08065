//go:build !linux

package copy

import "os"

// keepAttributes keeps none here.
func (r *run) keepAttributes(_, _ *os.File, _ string) bool { return false }

func (r *run) keepEntryAttributes(place, place) {}

func cannotClone(error) bool { return true }

//go:build !linux

package copy

import "os"

// dataWithin returns where f has data within e: everywhere, where holes cannot be found.
func dataWithin(_ *os.File, _ meta, e extent) ([]extent, error) { return []extent{e}, nil }

//go:build !linux && !darwin

package copy

import "os"

// attributes returns none: the system has no extended attributes, or none that there is a common way to read.
func attributes(*os.File) (map[string][]byte, error) { return nil, nil }

//go:build !unix

package copy

import "io/fs"

func umask() fs.FileMode { return 0 }

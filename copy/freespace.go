package copy

import "os"

// FreeSpace returns how many bytes this user can still write to the file system of a folder, and false where that cannot
// be known.
func FreeSpace(dir string) (int64, bool) {
	f, err := os.Open(dir)
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }()
	return freeSpace(f)
}

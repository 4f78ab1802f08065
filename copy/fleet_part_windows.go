package copy

import "os"

// openShared opens a part file that many processes write to. With make set it is made if it is not there.
func openShared(to place, name string, make bool) (*os.File, error) {
	flags := os.O_RDWR
	if make {
		flags |= os.O_CREATE
	}
	return to.dir.root.OpenFile(name, flags, 0o600)
}

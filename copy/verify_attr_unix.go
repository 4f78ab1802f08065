//go:build linux || darwin

package copy

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// attributes returns the extended attributes of a file, none where the file system has none.
func attributes(f *os.File) (map[string][]byte, error) {
	fd := int(f.Fd())
	list, err := sized(func(p []byte) (int, error) { return unix.Flistxattr(fd, p) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil || len(list) == 0 {
		return nil, err
	}
	found := make(map[string][]byte)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if found[name], err = sized(func(p []byte) (int, error) { return unix.Fgetxattr(fd, name, p) }); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// sized calls a function of the xattr(7) family with as much memory as it asks for. It asks again if the attribute grows
// in between.
func sized(call func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := call(nil)
		if err != nil || n == 0 {
			return nil, err
		}
		p := make([]byte, n)
		n, err = call(p)
		if errors.Is(err, unix.ERANGE) {
			continue
		}
		return p[:max(n, 0)], err
	}
}

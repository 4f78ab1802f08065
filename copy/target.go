package copy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// target is what is to be made of an item's destination.
type target struct {
	path    string      // where the file is to be, symlinks resolved
	inPlace fs.FileMode // if not 0, path is a device or fifo of this type, to be written as it is
	skip    bool        // it exists, and is to stay
}

// target looks at the source and at what is in its way. It changes nothing.
func (r *run) target(it item) (target, error) {
	if it.err != nil {
		return target{}, fmt.Errorf("cannot read %s: %w", it.src, because(it.err))
	}
	switch mode := it.info.Mode(); {
	case mode.IsDir():
		return target{}, fmt.Errorf("-r not specified; omitting directory %s", it.src)
	case !mode.IsRegular():
		return target{}, fmt.Errorf("%s is a %s: only regular files can be copied", it.src, kind(mode))
	case r.created[it.dst] != nil:
		return r.again(it)
	case r.created[partPath(it.dst, false)] != nil:
		return target{}, fmt.Errorf("will not overwrite just-created %s with the part file of %s",
			partPath(it.dst, false), it.dst)
	}
	link, err := os.Lstat(it.dst)
	if errors.Is(err, fs.ErrNotExist) {
		if os.IsPathSeparator(it.dst[len(it.dst)-1]) {
			return target{}, fmt.Errorf("cannot create %s: no such directory", it.dst)
		}
		return target{path: it.dst}, nil
	}
	if err != nil {
		return target{}, fmt.Errorf("cannot create %s: %w", it.dst, because(err))
	}
	if r.NoClobber {
		return target{skip: true}, nil
	}
	return r.overwrite(it, link)
}

// again decides about a destination that this run has made from an earlier source.
func (r *run) again(it item) (target, error) {
	switch {
	case os.SameFile(it.info, r.created[it.dst]):
		r.Log.Warn("source file given more than once", "item", it.src)
	case !r.NoClobber:
		return target{}, fmt.Errorf("will not overwrite just-created %s with %s", it.dst, it.src)
	}
	return target{skip: true}, nil
}

// overwrite decides about a destination that exists.
func (r *run) overwrite(it item, link fs.FileInfo) (target, error) {
	info, err := os.Stat(it.dst)
	isLink := link.Mode()&fs.ModeSymlink != 0
	switch {
	case err != nil && isLink && errors.Is(err, fs.ErrNotExist):
		return target{}, fmt.Errorf("not writing through dangling symlink %s", it.dst)
	case err != nil:
		return target{}, fmt.Errorf("cannot create %s: %w", it.dst, because(err))
	case os.SameFile(it.info, info):
		return target{}, usagef("%s and %s are the same file", it.src, it.dst)
	case info.IsDir():
		return target{}, fmt.Errorf("cannot overwrite directory %s with non-directory %s", it.dst, it.src)
	case info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe) != 0:
		// Under its own name: what /dev/stdout leads to may have no path.
		return target{path: it.dst, inPlace: info.Mode().Type()}, nil
	case !info.Mode().IsRegular():
		return target{}, fmt.Errorf("cannot overwrite the %s %s", kind(info.Mode()), it.dst)
	case isLink && it.dst == r.Dest:
		path, err := filepath.EvalSymlinks(it.dst)
		if err != nil {
			return target{}, fmt.Errorf("cannot create %s: %w", it.dst, because(err))
		}
		return target{path: path}, nil
	}
	return target{path: it.dst}, nil
}

// kind names what is not a regular file.
func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "fifo"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeCharDevice != 0:
		return "character device"
	case m&fs.ModeDevice != 0:
		return "block device"
	default:
		return "special file"
	}
}

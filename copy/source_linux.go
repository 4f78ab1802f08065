package copy

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dataExtents returns where f holds data. A file with all its blocks has no holes and is not searched.
func dataExtents(f *os.File, m meta) ([]extent, error) {
	size := m.size
	whole := []extent{{0, size}}
	if m.blocks*512 >= size {
		return whole, nil
	}
	var extents []extent
	for off := int64(0); off < size; {
		data, err := f.Seek(off, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // nothing but a hole is left
		}
		if errors.Is(err, unix.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
			return whole, nil
		}
		if err != nil {
			return nil, because(err)
		}
		hole, err := f.Seek(data, unix.SEEK_HOLE)
		if err != nil {
			return nil, because(err)
		}
		if hole = min(hole, size); data < hole {
			extents = append(extents, extent{data, hole})
		}
		off = hole
	}
	_, err := f.Seek(0, io.SeekStart)
	return extents, err
}

// sizeUnsure says whether m may be of a file of /sys, which says that it fills a page and is shorter. A small file that
// is nothing but a hole, or lies in its inode, looks the same.
func sizeUnsure(m meta) bool { return m.blocks == 0 && m.size <= int64(os.Getpagesize()) }

// clone lets dst share the blocks of src (ioctl_ficlone(2)).
func clone(dst, src *os.File) error { return unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) }

// changeTime is when the inode last changed, which no one can set.
func changeTime(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix())
	}
	return time.Time{}
}
